// Requests to answers: check, run in as few native runs as possible, decode; each request succeeds or fails by itself.
import { SilverlodeError } from '../errors.js';
import type { CancelFlag } from '../native/addon.js';
import { withSignal } from '../native/device.js';
import type { BatchRunner } from './batch_runner.js';
import { withDeadline } from './deadline.js';
import type { CatalogueIds } from './item_ids.js';
import type { Manifest } from './manifest.js';
import type { CheckedRequest, RequestChecker } from './requests.js';
import { asError, type BatchOutputs, resultLength, toResult } from './results.js';
import type { RetrieveBatchRequest, RetrieveBatchResult, RetrieveRequest, RetrieveResult } from './types.js';

/** What a request comes to. */
export type Answer = RetrieveResult | SilverlodeError;

export class Answerer {
  constructor(
    readonly manifest: Manifest,
    readonly ids: CatalogueIds,
    private readonly checker: RequestChecker,
    private readonly runner: BatchRunner,
  ) {}

  /** Answers in the order of the requests. */
  async all(requests: readonly RetrieveRequest[], signal: AbortSignal | undefined): Promise<Answer[]> {
    const started = performance.now();
    const checked = requests.map((request) => {
      try {
        return this.checker.check(request);
      } catch (error) {
        return asError(error);
      }
    });
    const answers = new Array<Answer>(requests.length);
    checked.forEach((request, i) => {
      if (request instanceof SilverlodeError) answers[i] = request;
    });
    await withSignal(signal, async (cancel) => {
      for (const run of this.runner.runs(checked)) {
        const members = run.map((i) => checked[i] as CheckedRequest);
        const limits = members.map(({ deadlineMs }) => deadlineMs);
        const deadline = (work: Promise<unknown>) => withDeadline(limits, started, work);
        const answered = await this.#run(members, deadline, cancel);
        run.forEach((i, b) => {
          answers[i] = answered[b] as Answer;
        });
      }
    });
    return answers;
  }

  /** Flat arrays in, flat arrays out. */
  async batch(batch: RetrieveBatchRequest, signal: AbortSignal | undefined): Promise<RetrieveBatchResult> {
    const requests = this.#checkBatch(batch);
    const offsets = new Int32Array(batch.count + 1);
    const ordinals: number[] = [];
    const scores: number[] = [];
    const append = (members: readonly CheckedRequest[], outputs: BatchOutputs, first: number) => {
      members.forEach((request, b) => {
        const begin = b * outputs.width;
        const end = begin + resultLength(outputs, request, b);
        for (let i = begin; i < end; i++) {
          ordinals.push(outputs.ordinals[i] as number);
          scores.push(outputs.scores[i] as number);
        }
        offsets[first + b + 1] = ordinals.length;
      });
    };
    await withSignal(signal, async (cancel) => {
      let first = 0;
      for (const run of this.runner.runs(requests)) {
        const members = run.map((i) => requests[i] as CheckedRequest);
        append(members, await this.runner.run(members, cancel), first);
        first += members.length;
      }
    });
    return { ids: this.ids.gather(Int32Array.from(ordinals)), scores: Float32Array.from(scores), offsets };
  }

  /** One run; when it fails for a reason that may lie in one request, each is tried alone. */
  async #run(
    members: readonly CheckedRequest[],
    deadline: (work: Promise<unknown>) => Promise<(SilverlodeError | undefined)[]>,
    cancel: CancelFlag | undefined,
  ): Promise<Answer[]> {
    try {
      const run = this.runner.run(members, cancel);
      const late = await deadline(run);
      // A request in time means that the run has ended, so awaiting it again costs nothing.
      const outputs = late.every((error) => error !== undefined) ? undefined : await run;
      return members.map((request, b) => late[b] ?? toResult(outputs as BatchOutputs, request, b, this));
    } catch (error) {
      const failed = asError(error);
      if (members.length === 1 || failed.code !== 'INVALID_ARGUMENT') return members.map(() => failed);
      const alone = [];
      for (const member of members) alone.push(...(await this.#run([member], async () => [undefined], cancel)));
      return alone;
    }
  }

  #checkBatch(batch: RetrieveBatchRequest): CheckedRequest[] {
    const { embeddings, count, filters, exclude, ...shared } = batch;
    const { dims } = this.manifest;
    const fits = Number.isInteger(count) && count >= 0 && embeddings instanceof Float32Array;
    if (!fits || embeddings.length !== count * dims) {
      throw new SilverlodeError(
        'SHAPE_MISMATCH',
        `embeddings must be a Float32Array of count x ${dims}, count is ${count}`,
      );
    }
    if ((filters && filters.length !== count) || (exclude && exclude.length !== count)) {
      throw new SilverlodeError('SHAPE_MISMATCH', 'filters and exclude need one entry per request');
    }
    return Array.from({ length: count }, (_, i) => {
      try {
        const embedding = embeddings.subarray(i * dims, (i + 1) * dims);
        return this.checker.check({ ...shared, embedding, filter: filters?.[i], exclude: exclude?.[i] });
      } catch (error) {
        const failed = asError(error);
        throw new SilverlodeError(failed.code, `request ${i}: ${failed.message}`, { ...failed, request: i });
      }
    });
  }
}
