// Compiled programs as users hold them: inputs and outputs by name.
import { requireBoolean, requireKnown, SilverlodeError } from '../errors.js';
import type { ProgramSpec } from '../native/addon.js';
import { type DeviceOptions, openDevice, withSignal } from '../native/device.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { readProgram, writeProgram } from './program_file.js';
import { ProgramRunner, type RunInput, type StepProfile } from './runner.js';

export { type DerivedSizes, ProgramRunner, type RunInput, type StepProfile } from './runner.js';

/** Structure of a program's outputs: one tensor, or named ones. */
export type OutputNames = readonly string[] | undefined;

/** Values that `Program.run` takes by input name. */
export type RunInputs = Readonly<Record<string, RunInput | readonly number[]>>;

/** How a program is loaded. */
export interface ProgramLoadOptions extends DeviceOptions {
  verify?: boolean;
}

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

  /**
   * Loads a program that `save` wrote, in any process, without the module that it was compiled from. Large files are memory-mapped:
   * replace one by rename, never rewrite it in place.
   *
   * `Outputs` is what `run` resolves to: named tensors, or one tensor where the module returned one.
   *
   * @param options Where it runs; `verify`: check every constant against its checksum, default true.
   * @throws SilverlodeError `IO_ERROR`, `CORRUPT_FILE` naming the tensor or field, `UNSUPPORTED_VERSION`, `DEVICE_UNAVAILABLE`,
   * `OUT_OF_MEMORY`, `INVALID_ARGUMENT` for options and for a file that holds no program.
   * @example
   * ```ts
   * using tower = await Program.load('tower.silverlode');
   * const { user } = await tower.run({ history, offsets });
   * ```
   */
  static async load<Outputs = Record<string, Tensor>>(
    path: string,
    options: ProgramLoadOptions = {},
  ): Promise<Program<Outputs>> {
    requireKnown('load options', options, ['device', 'threads', 'simd', 'graphs', 'verify']);
    const { verify = true } = options;
    requireBoolean('verify', verify);
    const device = openDevice(options);
    let runner: ProgramRunner | undefined;
    try {
      const { spec, names, limits, constants } = await readProgram(device, path, verify);
      runner = new ProgramRunner(device, spec, constants, limits);
      await runner.prepare(spec.symbols.map(() => 1)); // what is wrong with its steps is known now
      return new Program<Outputs>(runner, names);
    } catch (error) {
      runner?.dispose();
      device.dispose();
      throw error;
    }
  }

  /**
   * Writes the program with all that it reads as one safetensors file (docs/program-file.md): to a temporary file beside `path`,
   * flushed, then renamed over it. The same program gives the same bytes.
   *
   * @throws SilverlodeError `IO_ERROR`, `ABORTED`, `DISPOSED`.
   */
  async save(path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    requireKnown('save options', options, ['signal']);
    const { device, spec, limits, constants } = this.#runner;
    await writeProgram(device, path, { spec, names: this.#names, limits }, constants, options.signal);
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
