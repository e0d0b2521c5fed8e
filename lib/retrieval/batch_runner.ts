// Checked requests to results, through as few native runs as capacities allow.
import { SilverlodeError } from '../errors.js';
import { addon, type CancelFlag, type NativeDevice, type NativeTensor, type ProgramSpec } from '../native/addon.js';
import { DeviceConstants } from '../program/device_constants.js';
import { type DerivedSizes, ProgramRunner, type RunInput } from '../program/program.js';
import { Tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { encodeBatch, encodeFresh } from './encode.js';
import { FRESH_DERIVED, FRESH_FLOORS } from './fresh/inputs.js';
import { isRankedAgain, type Manifest } from './manifest.js';
import type { CheckedRequest, RequestLimits } from './requests.js';
import { type BatchOutputs, toOutputs } from './results.js';
import { type StageProfile, toStages } from './stage_profile.js';
import type { Version } from './version.js';

/** Smallest capacity of the sizes that vary from request to request, so that they do not multiply buckets. */
const CAPACITY_FLOORS: Readonly<Record<string, number>> = {
  k: 128,
  candidates: 128,
  plan_offsets: 128,
  plan_steps: 512,
  exclude_rows: 65_536,
};
const DEFAULT_FLOOR = 4096;

type Kind = 'embedding' | 'user';

/** Requests laid out for one program. */
interface Prepared {
  runner: ProgramRunner;
  dims: number[];
  inputs: RunInput[];
  /** What the program gives. */
  kind: { fresh: boolean; inRounds: boolean };
}

/** The native programs over one main segment. */
export class BatchRunner {
  readonly #runners = new Map<string, ProgramRunner>();
  readonly #constants: DeviceConstants;
  #bandwidth: Promise<number> | undefined;

  constructor(
    readonly device: NativeDevice,
    private readonly manifest: Manifest,
    tensors: ReadonlyMap<string, Tensor>,
    readonly limits: RequestLimits,
    private readonly rowBytes: number,
  ) {
    this.#constants = new DeviceConstants(device);
    const { programs, freshPrograms } = manifest;
    for (const [kind, spec] of Object.entries(programs)) this.#add(kind, spec, tensors, {});
    for (const [kind, spec] of Object.entries(freshPrograms ?? {}))
      this.#add(`fresh ${kind}`, spec, tensors, FRESH_DERIVED);
  }

  /** Brings what the programs read to the device. @throws SilverlodeError `OUT_OF_MEMORY`. */
  async load(): Promise<void> {
    for (const runner of this.#runners.values()) await runner.load();
  }

  /** What the programs read instead of a constant, where the device has a copy of its own. */
  copyOf(constant: Tensor): Promise<NativeTensor> | undefined {
    return this.#constants.copyOf(constant);
  }

  /** Bytes of the tensors that the programs read: what a GPU holds of the model. */
  get constantBytes(): number {
    const constants = new Set([...this.#runners.values()].flatMap((runner) => runner.constants));
    return [...constants].reduce((sum, { nbytes }) => sum + nbytes, 0);
  }

  /** Requests that may share a run, cut into runs of at most maxBatch; entries are positions in `requests`. */
  runs(requests: readonly (CheckedRequest | SilverlodeError)[]): number[][] {
    const groups = new Map<number, number[]>();
    requests.forEach((request, i) => {
      if (request instanceof SilverlodeError) return;
      const key = 2 * request.heads + Number(kindOf(request) === 'user');
      const group = groups.get(key) ?? [];
      group.push(i);
      groups.set(key, group);
    });
    return [...groups.values()].flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / this.limits.maxBatch) }, (_, run) =>
        group.slice(run * this.limits.maxBatch, (run + 1) * this.limits.maxBatch),
      ),
    );
  }

  /**
   * One native run, all requests placed in one version. Undefined, and nothing ran, when that was no longer the `current` one
   * by the time the program was ready.
   */
  async run(
    requests: readonly CheckedRequest[],
    current: () => Version,
    cancel?: CancelFlag,
  ): Promise<BatchOutputs | undefined> {
    const { runner, dims, inputs, kind } = this.#prepare(requests);
    return runner.use(dims, async (program) => {
      if (current() !== requests[0]?.version) return undefined;
      const natives = inputs.map((input) => (input instanceof Tensor ? input.native : input));
      return toOutputs(await program.runToArrays(natives, dims, cancel), requests.length, kind);
    });
  }

  /** The same on the calling thread, in the current version. @throws SilverlodeError `DEVICE_UNAVAILABLE` on a GPU. */
  runHere(requests: readonly CheckedRequest[]): BatchOutputs {
    const { runner, dims, inputs, kind } = this.#prepare(requests);
    const natives = inputs.map((input) => (input instanceof Tensor ? input.native : input));
    return runner.useHere(dims, (program) => toOutputs(program.runHere(natives, dims), requests.length, kind));
  }

  /** One timed run; results are dropped. */
  async profile(requests: readonly CheckedRequest[]): Promise<StageProfile[]> {
    const { runner, dims, inputs, kind } = this.#prepare(requests);
    const own = inputs.map((input) => (input instanceof Tensor ? input.reshape(input.shape) : input));
    // The first run of a bucket touches its memory for the first time; this one tells how many rows are scored.
    const { outputs } = await runner.run(own, dims);
    const views = outputs.map((output) => output.view());
    const { scanned } = toOutputs(views, requests.length, kind);
    this.#bandwidth ??= addon().readBandwidth(this.device);
    const rows = scanned.reduce((sum, count) => sum + Number(count), 0);
    return toStages(await runner.profile(own, dims), { rows, rowBytes: this.rowBytes }, await this.#bandwidth);
  }

  /** Memory that the bucket of these requests takes. */
  async sizes(
    requests: readonly CheckedRequest[],
  ): Promise<{ arenaBytes: number; preparedBytes: number; capacities: Record<string, number> }> {
    const { runner, dims } = this.#prepare(requests);
    const capacities = runner.capacities(dims);
    const named = Object.fromEntries(runner.spec.symbols.map((symbol, i) => [symbol, capacities[i] as number]));
    return { ...(await runner.sizes(dims)), capacities: named };
  }

  /** Prepares what `other` has prepared, so that the first requests after a change of segments need not wait. */
  async warm(other: BatchRunner): Promise<void> {
    for (const [key, runner] of this.#runners) {
      for (const dims of other.#runners.get(key)?.prepared ?? []) await runner.prepare(dims);
    }
  }

  /** The last run in flight frees the programs. */
  dispose(): void {
    for (const runner of this.#runners.values()) runner.dispose();
  }

  #add(key: string, spec: ProgramSpec | null, tensors: ReadonlyMap<string, Tensor>, derived: DerivedSizes): void {
    if (spec === null) return;
    const constants = spec.constants.map(({ name }) => {
      const constant = tensors.get(name);
      if (constant === undefined)
        throw new SilverlodeError('CORRUPT_FILE', `the model has no tensor '${name}'`, { tensor: name });
      return constant;
    });
    const floorOf = (symbol: string) =>
      symbol === 'batch' || symbol === 'heads' ? 1 : (CAPACITY_FLOORS[symbol] ?? FRESH_FLOORS[symbol] ?? DEFAULT_FLOOR);
    const floors = Object.fromEntries(spec.symbols.map((symbol) => [symbol, floorOf(symbol)]));
    const limits = { batch: this.limits.maxBatch };
    this.#runners.set(key, new ProgramRunner(this.device, spec, constants, limits, floors, derived, this.#constants));
  }

  #prepare(requests: readonly CheckedRequest[]): Prepared {
    const [first] = requests as [CheckedRequest];
    const { fresh } = first.version;
    const encoded = encodeBatch(requests, this.manifest);
    if (fresh) encodeFresh(requests, fresh.tensors, isRankedAgain(this.manifest), encoded);
    const runner = this.#runners.get(`${fresh ? 'fresh ' : ''}${kindOf(first)}`) as ProgramRunner;
    const inputs = runner.spec.inputs.map(({ name }) => encoded.inputs.get(name) as RunInput);
    const kind = { fresh: fresh !== undefined, inRounds: this.manifest.recall !== undefined };
    return { runner, dims: runner.dims(encoded.symbols), inputs, kind };
  }
}

function kindOf(request: CheckedRequest): Kind {
  return isTypedArrayOf(request.user, Float32Array) ? 'embedding' : 'user';
}
