// Compiled programs as users hold them: inputs and outputs by name.
import { SilverlodeError } from '../errors.js';
import type { ProgramSpec } from '../native/addon.js';
import { withSignal } from '../native/device.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { ProgramRunner, RunInput, StepProfile } from './runner.js';

export { type DerivedSizes, ProgramRunner, type RunInput, type StepProfile } from './runner.js';

/** Structure of a program's outputs: one tensor, or named ones. */
export type OutputNames = readonly string[] | undefined;

/** Values that `Program.run` takes by input name. */
export type RunInputs = Readonly<Record<string, RunInput | readonly number[]>>;

/**
 * A compiled module. `run` crosses into native code once; several runs may be in flight and are done in order.
 */
export class Program<Outputs = Record<string, Tensor>> {
  readonly #runner: ProgramRunner;
  readonly #names: OutputNames;

  /** @internal Use `compile()`. */
  constructor(runner: ProgramRunner, names: OutputNames) {
    this.#runner = runner;
    this.#names = names;
  }

  /** The recorded program as plain data. */
  get spec(): ProgramSpec {
    return this.#runner.spec;
  }

  /** @internal */
  get constants(): readonly Tensor[] {
    return this.#runner.constants;
  }

  /**
   * Runs the program.
   *
   * @param inputs By name. Typed arrays are copied before the call returns, tensors are shared: do not change them
   * before the promise settles. Symbols such as `batch` follow from the inputs' sizes.
   * @param options `outputs`: where results stay, `'host'` (default) or `'device'`; `signal`; `dims`: values of symbols
   * that no input tells, such as a symbolic k.
   * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `LIMIT_EXCEEDED`, `ABORTED`, `DISPOSED`.
   */
  async run(
    inputs: RunInputs,
    options: { outputs?: 'host' | 'device'; signal?: AbortSignal; dims?: Readonly<Record<string, number>> } = {},
  ): Promise<Outputs> {
    const { ordered, dims } = bindInputs(this.spec, inputs, options.dims ?? {});
    const { outputs } = await withSignal(options.signal, (cancel) =>
      this.#runner.run(ordered, dims, { cancel, outputs: options.outputs }),
    );
    return this.#structure(outputs);
  }

  /** Runs once and tells the time of every step. */
  async profile(inputs: RunInputs, options: { dims?: Readonly<Record<string, number>> } = {}): Promise<StepProfile[]> {
    const { ordered, dims } = bindInputs(this.spec, inputs, options.dims ?? {});
    return this.#runner.profile(ordered, dims);
  }

  /** No new runs; the last one in flight frees the memory. */
  dispose(): void {
    this.#runner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #structure(outputs: Tensor[]): Outputs {
    if (this.#names === undefined) return outputs[0] as Outputs;
    return Object.fromEntries(this.#names.map((name, i) => [name, outputs[i]])) as Outputs;
  }
}

/** Orders inputs as the program has them and works out the symbols from their sizes. */
function bindInputs(spec: ProgramSpec, given: RunInputs, extra: Readonly<Record<string, number>>) {
  requireNames(
    'input',
    Object.keys(given),
    spec.inputs.map((input) => input.name),
  );
  requireNames('symbol', Object.keys(extra), spec.symbols);
  for (const [name, dim] of Object.entries(extra)) {
    if (Number.isSafeInteger(dim) && dim >= 0) continue;
    throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be an integer >= 0, got ${dim}`, { symbol: name });
  }
  const dims: (number | undefined)[] = spec.symbols.map((name) => extra[name]);
  const ordered = spec.inputs.map((input) => {
    const value = given[input.name];
    if (value === undefined) throw new SilverlodeError('INVALID_ARGUMENT', `input '${input.name}' is missing`);
    const array = toRunInput(input.name, input.dtype, value);
    const shape = array instanceof Tensor ? array.shape : flatShape(input, array, dims);
    if (shape.length !== input.shape.length) {
      throw new SilverlodeError(
        'SHAPE_MISMATCH',
        `input '${input.name}' has rank ${shape.length}, expected ${input.shape.length}`,
      );
    }
    input.shape.forEach((dim, axis) => {
      if (dim < 0) dims[-1 - dim] ??= shape[axis] as number;
    });
    return array;
  });
  const missing = spec.symbols.filter((_, i) => dims[i] === undefined);
  if (missing.length > 0)
    throw new SilverlodeError('INVALID_ARGUMENT', `give dims: {${missing.join(', ')}}; no input tells them`);
  return { ordered, dims: dims as number[] };
}

function requireNames(kind: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `the program has no ${kind} '${unknown}'; it has ${known.join(', ') || 'none'}`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { [kind]: unknown });
}

function toRunInput(name: string, dtype: DType, value: RunInput | readonly number[]): RunInput {
  if (value instanceof Tensor) return value;
  const ArrayType = DTYPES[dtype].array;
  if (isTypedArrayOf(value, ArrayType)) return value;
  if (Array.isArray(value) && dtype !== 'int64') return tensor(value, { dtype }).view();
  throw new SilverlodeError(
    'UNSUPPORTED_DTYPE',
    `input '${name}' is ${dtype} and takes a ${ArrayType.name} or a tensor`,
    { input: name },
  );
}

/** The shape of a flat array: at most one symbol of the input may still be unknown. */
function flatShape(
  input: ProgramSpec['inputs'][number],
  array: ArrayBufferView,
  dims: readonly (number | undefined)[],
): number[] {
  const elements = array.byteLength / DTYPES[input.dtype].bytes;
  const shape = input.shape.map((dim) => (dim >= 0 ? dim : dims[-1 - dim]));
  const known = shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  const unknown = shape.filter((dim) => dim === undefined).length;
  const rest = known === 0 ? 0 : elements / known;
  const fits = unknown === 0 ? elements === known : unknown === 1 && Number.isInteger(rest);
  if (!fits) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `input '${input.name}' has ${elements} elements, which do not fill [${shape.map((dim) => dim ?? '?').join(', ')}]`,
      { input: input.name },
    );
  }
  return shape.map((dim) => dim ?? rest);
}
