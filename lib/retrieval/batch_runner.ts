// Checked requests to results, through as few native runs as capacities allow.
import { SilverlodeError } from '../errors.js';
import { addon, type CancelFlag, type NativeDevice } from '../native/addon.js';
import { ProgramRunner } from '../program/program.js';
import type { Tensor } from '../tensor/tensor.js';
import { type EncodedBatch, encodeBatch } from './encode.js';
import type { Manifest } from './manifest.js';
import type { CheckedRequest, RequestLimits } from './requests.js';
import { type BatchOutputs, toOutputs } from './results.js';
import { type StageProfile, toStages } from './stage_profile.js';

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

/** The native programs of a loaded model. */
export class BatchRunner {
  readonly #runners: Partial<Record<Kind, ProgramRunner>> = {};
  #bandwidth: Promise<number> | undefined;

  constructor(
    readonly device: NativeDevice,
    private readonly manifest: Manifest,
    tensors: ReadonlyMap<string, Tensor>,
    readonly limits: RequestLimits,
    private readonly rowBytes: number,
  ) {
    const { embedding, user } = manifest.programs;
    for (const [kind, spec] of [
      ['embedding', embedding],
      ['user', user],
    ] as const) {
      if (spec === null) continue;
      const constants = spec.constants.map(({ name }) => {
        const constant = tensors.get(name);
        if (constant === undefined)
          throw new SilverlodeError('CORRUPT_FILE', `the model has no tensor '${name}'`, { tensor: name });
        return constant;
      });
      const floors = Object.fromEntries(
        spec.symbols.map((symbol) => [
          symbol,
          symbol === 'batch' || symbol === 'heads' ? 1 : (CAPACITY_FLOORS[symbol] ?? DEFAULT_FLOOR),
        ]),
      );
      this.#runners[kind] = new ProgramRunner(device, spec, constants, { batch: limits.maxBatch }, floors);
    }
  }

  /** Requests that may share a run, cut into runs of at most maxBatch; entries are positions in `requests`. */
  runs(requests: readonly (CheckedRequest | SilverlodeError)[]): number[][] {
    const groups = new Map<string, number[]>();
    requests.forEach((request, i) => {
      if (request instanceof SilverlodeError) return;
      const key = `${kindOf(request)}:${request.heads}`;
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

  /** One native run. */
  async run(requests: readonly CheckedRequest[], cancel?: CancelFlag): Promise<BatchOutputs> {
    const { runner, dims, inputs } = this.#encode(requests);
    return runner.use(dims, async (program) =>
      toOutputs(await program.runToArrays(inputs, dims, cancel), requests.length),
    );
  }

  /** One timed run; results are dropped. */
  async profile(requests: readonly CheckedRequest[]): Promise<StageProfile[]> {
    const { runner, dims, inputs } = this.#encode(requests);
    // The first run of a bucket touches its memory for the first time; this one tells how many rows are scored.
    const { outputs } = await runner.run(inputs, dims);
    const { scanned } = toOutputs(
      outputs.map((output) => output.view()),
      requests.length,
    );
    this.#bandwidth ??= addon().readBandwidth(this.device);
    const rows = scanned.reduce((sum, count) => sum + Number(count), 0);
    return toStages(await runner.profile(inputs, dims), { rows, rowBytes: this.rowBytes }, await this.#bandwidth);
  }

  /** Memory that the bucket of these requests takes. */
  async sizes(
    requests: readonly CheckedRequest[],
  ): Promise<{ arenaBytes: number; preparedBytes: number; capacities: Record<string, number> }> {
    const { runner, dims } = this.#encode(requests);
    const capacities = runner.capacities(dims);
    const named = Object.fromEntries(runner.spec.symbols.map((symbol, i) => [symbol, capacities[i] as number]));
    return { ...(await runner.sizes(dims)), capacities: named };
  }

  /** The last run in flight frees programs and threads. */
  dispose(): void {
    for (const runner of Object.values(this.#runners)) runner.dispose();
    this.device.dispose();
  }

  #encode(requests: readonly CheckedRequest[]) {
    const runner = this.#runners[kindOf(requests[0] as CheckedRequest)] as ProgramRunner;
    const encoded: EncodedBatch = encodeBatch(requests, this.manifest);
    const dims = runner.spec.symbols.map((symbol) => encoded.symbols[symbol] as number);
    const inputs = runner.spec.inputs.map(({ name }) => encoded.inputs.get(name) as ArrayBufferView);
    return { runner, dims, inputs };
  }
}

function kindOf(request: CheckedRequest): Kind {
  return request.user instanceof Float32Array ? 'embedding' : 'user';
}
