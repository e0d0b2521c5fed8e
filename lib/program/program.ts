// Compiled programs: a recorded spec with its constants, planned per bucket of capacities and run natively.
import { SilverlodeError } from '../errors.js';
import { addon, type CancelFlag, type NativeDevice, type NativeProgram, type NativeSpec, type ProgramSpec } from '../native/addon.js';
import { withSignal } from '../native/device.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** What a run takes per input: a tensor (shared, not copied) or a typed array (copied before the call returns). */
export type RunInput = Tensor | ArrayBufferView;

/** Time of one step of a run. */
export interface StepProfile {
  op: string;
  /** Where the step stands in the module tree. */
  label: string;
  milliseconds: number;
  /** Rows of the step's first output. */
  rows: number;
  /** Bytes of the step's inputs and outputs at the sizes of the run: an upper bound on what it moved. */
  bytes: number;
}

/** How many buckets of one program are kept; the least recently used goes first. */
const MAX_BUCKETS = 16;

/**
 * The native side of a program. Symbols (`batch`, `k`, …) get their values per run; memory is planned per bucket, the
 * next power of two of each, and a bucket that does not exist yet is prepared before the run, never inside it.
 */
export class ProgramRunner {
  readonly #buckets = new Map<string, Promise<NativeProgram>>();
  #disposed = false;

  constructor(
    readonly device: NativeDevice,
    readonly spec: ProgramSpec,
    readonly constants: readonly Tensor[],
    /** Largest value of each symbol; larger runs are refused with `LIMIT_EXCEEDED`. */
    readonly limits: Readonly<Record<string, number>> = {},
  ) {}

  /** Capacities of the bucket for these symbol values. */
  capacities(dims: readonly number[]): number[] {
    return dims.map((dim, i) => {
      const name = this.spec.symbols[i] as string;
      const limit = this.limits[name] ?? 2 ** 31;
      if (dim > limit) throw new SilverlodeError('LIMIT_EXCEEDED', `${name} is ${dim}, the limit is ${limit}`, { symbol: name });
      return Math.min(limit, dim <= 1 ? 1 : 2 ** Math.ceil(Math.log2(dim)));
    });
  }

  /** The planned program for these symbol values, prepared now if need be. */
  async prepare(dims: readonly number[]): Promise<NativeProgram> {
    if (this.#disposed) throw new SilverlodeError('DISPOSED', 'the program was disposed');
    const capacities = this.capacities(dims);
    const key = capacities.join();
    let bucket = this.#buckets.get(key);
    if (bucket) {
      this.#buckets.delete(key); // re-inserted below: the map is ordered by use
    } else {
      bucket = addon().createProgram(this.device, this.spec, this.constants.map((constant) => constant.native), capacities, false);
      bucket.catch(() => this.#buckets.delete(key));
      if (this.#buckets.size >= MAX_BUCKETS) this.#evict();
    }
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Memory that a bucket would take, without taking it. */
  async sizes(dims: readonly number[]): Promise<{ arenaBytes: number; preparedBytes: number }> {
    const constants = this.constants.map((constant) => constant.native);
    const counted = await addon().createProgram(this.device, this.spec, constants, this.capacities(dims), true);
    return counted.sizes();
  }

  /** One native run. Inputs in program order; outputs are typed arrays in program order. */
  async run(inputs: readonly RunInput[], dims: readonly number[], cancel?: CancelFlag, timed = false): Promise<RunResult> {
    const program = await this.prepare(dims);
    const shapes = program.outputShapes(dims);
    const outputs = shapes.map(({ dtype, shape }) => Tensor.allocate(dtype, shape));
    const natives = inputs.map((input) => (input instanceof Tensor ? input.native : input));
    const times = await program.run(natives, dims, outputs.map((output) => output.native), cancel, timed);
    return { outputs, times };
  }

  /** One timed native run; results are dropped. */
  async profile(inputs: readonly RunInput[], dims: readonly number[]): Promise<StepProfile[]> {
    const { times } = await this.run(inputs, dims, undefined, true);
    const program = await this.prepare(dims);
    return profileSteps(this.spec, program.valueShapes(dims), times as Float64Array);
  }

  dispose(): void {
    this.#disposed = true;
    while (this.#buckets.size > 0) this.#evict();
  }

  #evict(): void {
    const [key, oldest] = this.#buckets.entries().next().value as [string, Promise<NativeProgram>];
    this.#buckets.delete(key);
    oldest.then(
      (program) => program.dispose(),
      () => undefined,
    );
  }
}

export interface RunResult {
  outputs: Tensor[];
  /** Milliseconds per step, when asked for. */
  times: Float64Array | undefined;
}

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
    const { outputs } = await withSignal(options.signal, (cancel) => this.#runner.run(ordered, dims, cancel));
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
  const dims: (number | undefined)[] = spec.symbols.map((name) => extra[name]);
  for (const name of Object.keys(given)) {
    if (!spec.inputs.some((input) => input.name === name)) {
      throw new SilverlodeError('INVALID_ARGUMENT', `the program has no input '${name}'; it takes ${spec.inputs.map((i) => i.name).join(', ')}`);
    }
  }
  const ordered = spec.inputs.map((input) => {
    const value = given[input.name];
    if (value === undefined) throw new SilverlodeError('INVALID_ARGUMENT', `input '${input.name}' is missing`);
    const array = toRunInput(input.name, input.dtype, value);
    const shape = array instanceof Tensor ? array.shape : flatShape(input, array, dims);
    if (shape.length !== input.shape.length) {
      throw new SilverlodeError('SHAPE_MISMATCH', `input '${input.name}' has rank ${shape.length}, expected ${input.shape.length}`);
    }
    input.shape.forEach((dim, axis) => {
      if (dim < 0) dims[-1 - dim] ??= shape[axis] as number;
    });
    return array;
  });
  const missing = spec.symbols.filter((_, i) => dims[i] === undefined);
  if (missing.length > 0) throw new SilverlodeError('INVALID_ARGUMENT', `give dims: {${missing.join(', ')}}; no input tells them`);
  return { ordered, dims: dims as number[] };
}

function toRunInput(name: string, dtype: DType, value: RunInput | readonly number[]): RunInput {
  if (value instanceof Tensor) return value;
  const ArrayType = DTYPES[dtype].array;
  if (value instanceof ArrayType) return value;
  if (Array.isArray(value) && dtype !== 'int64') return (ArrayType as typeof Float32Array).from(value as number[]);
  throw new SilverlodeError('UNSUPPORTED_DTYPE', `input '${name}' is ${dtype} and takes a ${ArrayType.name} or a tensor`, { input: name });
}

/** The shape of a flat array: at most one symbol of the input may still be unknown. */
function flatShape(input: ProgramSpec['inputs'][number], array: ArrayBufferView, dims: readonly (number | undefined)[]): number[] {
  const elements = array.byteLength / DTYPES[input.dtype].bytes;
  const shape = input.shape.map((dim) => (dim >= 0 ? dim : dims[-1 - dim]));
  const known = shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  const unknown = shape.filter((dim) => dim === undefined).length;
  const rest = known === 0 ? 0 : elements / known;
  const fits = unknown === 0 ? elements === known : unknown === 1 && Number.isInteger(rest);
  if (!fits) {
    throw new SilverlodeError('SHAPE_MISMATCH', `input '${input.name}' has ${elements} elements, which do not fill [${shape.map((dim) => dim ?? '?').join(', ')}]`, { input: input.name });
  }
  return shape.map((dim) => dim ?? rest);
}

/** Steps with their times. Views take none and are left out. */
export function profileSteps(spec: ProgramSpec, values: readonly NativeSpec[], times: Float64Array): StepProfile[] {
  const bytesOf = ({ dtype, shape }: NativeSpec) => shape.reduce((product, dim) => product * dim, DTYPES[dtype].bytes);
  let next = spec.inputs.length + spec.constants.length;
  return spec.steps.flatMap((step, i) => {
    const outputs = values.slice(next, next + step.outputs);
    next += step.outputs;
    if (step.op === 'reshape') return [];
    const inputs = step.inputs.filter((id) => id >= 0).map((id) => values[id] as NativeSpec);
    const bytes = [...inputs, ...outputs].reduce((sum, value) => sum + bytesOf(value), 0);
    const rows = (outputs[0]?.shape ?? []).slice(0, -1).reduce((product, dim) => product * dim, 1);
    return [{ op: step.op, label: step.label, milliseconds: times[i] as number, rows, bytes }];
  });
}
