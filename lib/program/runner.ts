// Runs a recorded program natively: its constants, planned per bucket of capacities.
import { SilverlodeError } from '../errors.js';
import {
  addon,
  type CancelFlag,
  type NativeDevice,
  type NativeProgram,
  type NativeSpec,
  type NativeTensor,
  type ProgramSpec,
} from '../native/addon.js';
import { DTYPES } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { DeviceConstants } from './device_constants.js';

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

/** How a run goes. */
export interface RunOptions {
  cancel?: CancelFlag | undefined;
  timed?: boolean;
  outputs?: 'host' | 'device' | undefined;
}

export interface RunResult {
  outputs: Tensor[];
  /** Milliseconds per step, when asked for. */
  times: Float64Array | undefined;
}

/** Sizes of symbols that follow from those of others, given a way to look these up. */
export type DerivedSizes = Readonly<Record<string, (sizeOf: (symbol: string) => number) => number>>;

/** How many buckets of one program are kept; the least recently used goes first. */
const MAX_BUCKETS = 16;

/** A planned program. Once dropped, the last run that uses it frees it. */
interface Bucket {
  readonly program: Promise<NativeProgram>;
  /** The same once it is there, or one of its own that was planned for a call that could not wait. */
  ready: NativeProgram | undefined;
  users: number;
  dropped: boolean;
}

/**
 * The native side of a program. Symbols (`batch`, `k`, …) get their values per run; memory is planned per bucket, the
 * next power of two of each, and a bucket that does not exist yet is prepared before the run, never inside it.
 */
export class ProgramRunner {
  readonly #buckets = new Map<string, Bucket>();
  #disposed = false;

  constructor(
    readonly device: NativeDevice,
    readonly spec: ProgramSpec,
    readonly constants: readonly Tensor[],
    /** Largest value of each symbol; larger runs are refused with `LIMIT_EXCEEDED`. */
    readonly limits: Readonly<Record<string, number>> = {},
    /** Smallest capacity of each symbol, so that small sizes share a bucket; default 1. */
    readonly floors: Readonly<Record<string, number>> = {},
    /** Symbols whose size is that of others, as `capacities` and `dims` work out. */
    readonly derived: DerivedSizes = {},
    /** Where its constants are copied to; programs may share it. */
    private readonly placed = new DeviceConstants(device),
  ) {}

  /** Brings the constants to the device, ahead of the first run. */
  async load(): Promise<void> {
    await this.placed.use(this.constants, async () => undefined);
  }

  /** Values of all symbols, in their order, from those that do not follow from others. */
  dims(sizes: Readonly<Record<string, number>>): number[] {
    const sizeOf = (symbol: string): number => this.derived[symbol]?.(sizeOf) ?? (sizes[symbol] as number);
    return this.spec.symbols.map(sizeOf);
  }

  /** Capacities of the bucket for these symbol values. */
  capacities(dims: readonly number[]): number[] {
    const rounded = this.#rounded(dims);
    return this.dims(Object.fromEntries(this.spec.symbols.map((symbol, i) => [symbol, rounded[i] as number])));
  }

  #rounded(dims: readonly number[]): number[] {
    return dims.map((dim, i) => {
      const name = this.spec.symbols[i] as string;
      const limit = this.limits[name] ?? 2 ** 31;
      if (dim > limit)
        throw new SilverlodeError('LIMIT_EXCEEDED', `${name} is ${dim}, the limit is ${limit}`, { symbol: name });
      const capacity = dim <= 1 ? 1 : 2 ** Math.ceil(Math.log2(dim));
      return Math.min(limit, Math.max(capacity, this.floors[name] ?? 1));
    });
  }

  /** Plans the program for these symbol values, if need be. To run it, `use` it. */
  async prepare(dims: readonly number[]): Promise<NativeProgram> {
    return this.#bucket(dims).program;
  }

  /** Capacities of the buckets that are ready or being prepared. */
  get prepared(): number[][] {
    return [...this.#buckets.keys()].map((key) => key.split(',').map(Number));
  }

  /** Calls `work` with the program planned for these symbol values, which is not freed before `work` is done. */
  async use<T>(dims: readonly number[], work: (program: NativeProgram) => Promise<T>): Promise<T> {
    const bucket = this.#bucket(dims);
    bucket.users++;
    try {
      return await work(await bucket.program);
    } finally {
      bucket.users--;
      free(bucket);
    }
  }

  /**
   * As `use`, on the calling thread throughout; the program is planned there too, if need be.
   *
   * @throws SilverlodeError `DEVICE_UNAVAILABLE` where the program is not on the CPU.
   */
  useHere<T>(dims: readonly number[], work: (program: NativeProgram) => T): T {
    if (this.device.id !== 'cpu') {
      const { id: device } = this.device;
      throw new SilverlodeError('DEVICE_UNAVAILABLE', `synchronous runs are for the CPU, this is on ${device}`, {
        device,
      });
    }
    const plan = (capacities: readonly number[]) => {
      const constants = this.constants.map(({ native }) => native);
      return addon().createProgramHere(this.device, this.spec, constants, capacities);
    };
    const bucket = this.#bucket(dims, plan);
    bucket.ready ??= plan(this.capacities(dims)); // it is being planned elsewhere
    return work(bucket.ready);
  }

  /** Memory that a bucket would take, without taking it. */
  async sizes(dims: readonly number[]): Promise<{ arenaBytes: number; preparedBytes: number }> {
    return (await this.#create(this.capacities(dims), true)).sizes();
  }

  /**
   * One native run. Inputs and outputs in program order; typed arrays are copied before this returns. Outputs are on the
   * host, or stay on the device of the program.
   */
  async run(
    inputs: readonly RunInput[],
    dims: readonly number[],
    { cancel, timed = false, outputs: where = 'host' }: RunOptions = {},
  ): Promise<RunResult> {
    // Before the first await: from then on the caller may change its arrays and dispose its tensors.
    const natives = inputs.map((input) => (input instanceof Tensor ? ownHandle(input) : ownBytes(input)));
    const place = where === 'device' ? this.device.id : 'cpu';
    return this.use(dims, async (program) => {
      const outputs = program.outputShapes(dims).map(({ dtype, shape }) => Tensor.allocate(dtype, shape, place));
      const targets = outputs.map((output) => output.native);
      const times = await program.run(natives, dims, targets, cancel, timed);
      return { outputs, times };
    });
  }

  /** One timed native run; results are dropped. */
  async profile(inputs: readonly RunInput[], dims: readonly number[]): Promise<StepProfile[]> {
    const [{ times }, values] = await Promise.all([
      this.run(inputs, dims, { timed: true }),
      this.use(dims, async (program) => program.valueShapes(dims)),
    ]);
    return profileSteps(this.spec, values, times as Float64Array);
  }

  /** No new runs; the last one in flight frees the memory. */
  dispose(): void {
    this.#disposed = true;
    while (this.#buckets.size > 0) this.#evict();
    this.placed.dispose();
  }

  /** @param plan Makes the program of a bucket that does not exist yet. */
  #bucket(
    dims: readonly number[],
    plan: (capacities: readonly number[]) => Promise<NativeProgram> | NativeProgram = (c) => this.#create(c, false),
  ): Bucket {
    if (this.#disposed) throw new SilverlodeError('DISPOSED', 'the program was disposed');
    const capacities = this.capacities(dims);
    const key = capacities.join();
    const known = this.#buckets.get(key);
    if (known) this.#buckets.delete(key); // re-inserted below: the map is ordered by use
    const bucket = known ?? newBucket(plan(capacities));
    if (!known) {
      if (this.#buckets.size >= MAX_BUCKETS) this.#evict();
      bucket.program.catch(() => {
        if (this.#buckets.get(key) === bucket) this.#buckets.delete(key);
      });
    }
    this.#buckets.set(key, bucket);
    return bucket;
  }

  async #create(capacities: readonly number[], countOnly: boolean): Promise<NativeProgram> {
    const create = (constants: readonly NativeTensor[]) =>
      addon().createProgram(this.device, this.spec, constants, capacities, countOnly);
    return countOnly ? create(this.constants.map(({ native }) => native)) : this.placed.use(this.constants, create);
  }

  #evict(): void {
    const [key, oldest] = this.#buckets.entries().next().value as [string, Bucket];
    this.#buckets.delete(key);
    oldest.dropped = true;
    free(oldest);
  }
}

function newBucket(planned: Promise<NativeProgram> | NativeProgram): Bucket {
  const isReady = !(planned instanceof Promise);
  const program = Promise.resolve(planned);
  const bucket: Bucket = { program, ready: isReady ? planned : undefined, users: 0, dropped: false };
  if (!isReady) program.then((ready) => (bucket.ready ??= ready)).catch(() => undefined);
  return bucket;
}

function free({ program, ready, users, dropped }: Bucket): void {
  if (!dropped || users > 0) return;
  ready?.dispose();
  program.then(
    (planned) => planned.dispose(),
    () => undefined,
  );
}

/** Another handle of the same memory. */
function ownHandle(input: Tensor): NativeTensor {
  return input.native.reshape(input.shape);
}

/** A copy, also of an array whose buffer was detached (it has no elements). */
function ownBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer, byteOffset, byteLength).slice();
}

/** Steps with their times. Views take none and are left out. */
function profileSteps(spec: ProgramSpec, values: readonly NativeSpec[], times: Float64Array): StepProfile[] {
  const sizeOf = ({ dtype, shape }: NativeSpec) => shape.reduce((product, dim) => product * dim, DTYPES[dtype].bytes);
  let next = spec.inputs.length + spec.constants.length;
  return spec.steps.flatMap((step, i) => {
    const outputs = values.slice(next, next + step.outputs);
    next += step.outputs;
    if (step.op === 'reshape') return [];
    const inputs = step.inputs.filter((id) => id >= 0).map((id) => values[id] as NativeSpec);
    const bytes = [...inputs, ...outputs].reduce((sum, value) => sum + sizeOf(value), 0);
    const rows = (outputs[0]?.shape ?? []).slice(0, -1).reduce((product, dim) => product * dim, 1);
    return [{ op: step.op, label: step.label, milliseconds: times[i] as number, rows, bytes }];
  });
}
