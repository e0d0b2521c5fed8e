import { requireKnown, SilverlodeError } from '../errors.js';
import { openDevice } from '../native/device.js';
import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import { type OutputNames, Program } from './program.js';
import { ProgramRunner } from './runner.js';
import { type InputSpec, SymbolicTensor, Trace } from './trace.js';

/** Inputs of a module by name; nested records become nested arguments and dotted input names. */
export interface InputSpecs {
  readonly [name: string]: InputSpec | InputSpecs;
}

/** Options of `compile`. */
export interface CompileOptions {
  /** dtype and shape of each input; `'batch'` and other texts in shapes are symbols. */
  inputs: InputSpecs;
  /** Largest batch; default 64. */
  maxBatch?: number;
  /** Largest values of other symbols; default: unlimited, buckets are prepared as runs need them. */
  limits?: Readonly<Record<string, number>>;
  device?: string;
  threads?: number;
  simd?: string;
  /** GPU: see `DeviceOptions`. */
  graphs?: boolean;
}

const KNOWN = ['inputs', 'maxBatch', 'limits', 'device', 'threads', 'simd', 'graphs'];

/** What `forward` may return: one tensor, or named ones. */
type ForwardResult = SymbolicTensor | Readonly<Record<string, SymbolicTensor>>;

/** What `run` gives for what `forward` returns: a tensor for one, an object for several. */
export type ProgramOutputs<R> = R extends SymbolicTensor ? Tensor : { [K in keyof R]: Tensor };

/**
 * Traces a module once and prepares it for running natively.
 *
 * `forward` is called with one argument: an object of symbolic tensors named as in `inputs`. It returns a symbolic tensor
 * or an object of them, and `program.run` resolves to tensors in the same structure.
 *
 * @throws SilverlodeError for ops that do not fit together, before anything runs.
 * @example
 * ```ts
 * const program = await compile(new Tower(), { inputs: { features: { dtype: 'float32', shape: ['batch', 256] } } });
 * const embedding = await program.run({ features: new Float32Array(256) });
 * ```
 */
export async function compile<M extends Module>(
  module: M,
  options: CompileOptions,
): Promise<Program<ProgramOutputs<ReturnType<M['forward']>>>> {
  requireKnown('compile options', options, KNOWN);
  const { spec, constants, names } = trace(module, options.inputs);
  const limits = { batch: options.maxBatch ?? 64, ...options.limits };
  const runner = new ProgramRunner(openDevice(options), spec, constants, limits);
  // Planning the smallest bucket settles every shape and packs the weights, so mistakes surface here and not in a run.
  await runner.prepare(spec.symbols.map(() => 1));
  return new Program(runner, names);
}

/** Records a module's forward. */
export function trace(module: Module, inputs: InputSpecs): ReturnType<Trace['finish']> & { names: OutputNames } {
  const names = new Map([...module.stateDict()].map(([name, value]) => [value, name]));
  const recording = new Trace(names);
  const result = module.forward(symbolicInputs(recording, inputs, '')) as ForwardResult;
  if (result instanceof SymbolicTensor) return { ...recording.finish([result]), names: undefined };
  const outputs = Object.entries(result ?? {});
  if (outputs.length === 0 || outputs.some(([, value]) => !(value instanceof SymbolicTensor))) {
    throw new SilverlodeError('INVALID_ARGUMENT', 'forward must return a symbolic tensor or an object of them');
  }
  return { ...recording.finish(outputs.map(([, value]) => value)), names: outputs.map(([name]) => name) };
}

function symbolicInputs(recording: Trace, specs: InputSpecs, prefix: string): Record<string, unknown> {
  const entries = Object.entries(specs).map(([name, spec]): [string, unknown] => {
    const full = prefix === '' ? name : `${prefix}.${name}`;
    return [name, isInputSpec(spec) ? recording.input(full, spec) : symbolicInputs(recording, spec, full)];
  });
  return Object.fromEntries(entries);
}

function isInputSpec(spec: InputSpec | InputSpecs): spec is InputSpec {
  return typeof spec.dtype === 'string' && Array.isArray(spec.shape);
}
