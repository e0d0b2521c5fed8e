// Requests to answers: check, run in as few native runs as possible, decode; each request succeeds or fails by itself.
import { SilverlodeError } from '../errors.js';
import type { CancelFlag } from '../native/addon.js';
import { withSignal } from '../native/device.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { lateError, withDeadline } from './deadline.js';
import type { AskedRequest, CheckedRequest, RequestChecker } from './requests.js';
import { asError, type BatchOutputs, resultLength, toResult } from './results.js';
import type { RetrieveBatchRequest, RetrieveBatchResult, RetrieveRequest, RetrieveResult } from './types.js';
import type { Version } from './version.js';

/** What a request comes to. */
export type Answer = RetrieveResult | SilverlodeError;

/** A run that has ended: its requests as they were placed, in one version. */
interface Ran {
  requests: readonly CheckedRequest[];
  outputs: BatchOutputs;
}

type FlatIds = RetrieveBatchResult['ids'];

export class Answerer {
  constructor(
    private readonly current: () => Version,
    private readonly checker: RequestChecker,
  ) {}

  /** Answers in the order of the requests. */
  async all(requests: readonly RetrieveRequest[], signal: AbortSignal | undefined): Promise<Answer[]> {
    const started = performance.now();
    const asked = requests.map((request) => orError(() => this.checker.ask(request)));
    const checked = asked.map((request) =>
      request instanceof SilverlodeError ? request : orError(() => this.checker.place(request, this.current())),
    );
    const answers = new Array<Answer>(requests.length);
    checked.forEach((request, i) => {
      if (request instanceof SilverlodeError) answers[i] = request;
    });
    await withSignal(signal, async (cancel) => {
      for (const run of this.current().main.runner.runs(checked)) {
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

  /** One request, on the calling thread from beginning to end. */
  here(request: RetrieveRequest): RetrieveResult {
    const started = performance.now();
    const version = this.current();
    const placed = this.checker.place(this.checker.ask(request), version);
    const outputs = version.main.runner.runHere([placed]);
    const late = lateError(placed.deadlineMs, performance.now() - started);
    if (late) throw late;
    return toResult(outputs, placed, 0);
  }

  /** Flat arrays in, flat arrays out. */
  async batch(batch: RetrieveBatchRequest, signal: AbortSignal | undefined): Promise<RetrieveBatchResult> {
    const asked = this.#askBatch(batch);
    const requests = asked.map((request, i) => named(i, () => this.checker.place(request, this.current())));
    const offsets = new Int32Array(batch.count + 1);
    const ids: FlatIds[] = [];
    const scores: Float32Array[] = [];
    const append = ({ requests: members, outputs }: Ran, first: number) => {
      const lengths = members.map((request, b) => resultLength(outputs, request, b));
      const total = lengths.reduce((sum, length) => sum + length, 0);
      const ordinals = new Int32Array(total);
      const best = new Float32Array(total);
      let next = 0;
      lengths.forEach((length, b) => {
        const begin = b * outputs.width;
        ordinals.set(outputs.ordinals.subarray(begin, begin + length), next);
        best.set(outputs.scores.subarray(begin, begin + length), next);
        next += length;
        offsets[first + b + 1] = (offsets[first + b] as number) + length;
      });
      const { main, fresh } = (members[0] as CheckedRequest).version;
      ids.push(main.ids.gather(ordinals, fresh?.ids));
      scores.push(best);
    };
    await withSignal(signal, async (cancel) => {
      let first = 0;
      for (const run of this.current().main.runner.runs(requests)) {
        const members = run.map((i) => requests[i] as CheckedRequest);
        append(await this.run(members, cancel), first);
        first += members.length;
      }
    });
    return { ids: joinIds(ids, this.current()), scores: joinArrays(scores, Float32Array), offsets };
  }

  /** One native run in the version that is current when it starts. */
  async run(requests: readonly CheckedRequest[], cancel?: CancelFlag): Promise<Ran> {
    for (;;) {
      const version = this.current();
      const placed = requests.map((request) =>
        request.version === version ? request : this.checker.place(request, version),
      );
      const { main } = version;
      const outputs = await main.use(() => main.runner.run(placed, this.current, cancel));
      if (outputs) return { requests: placed, outputs };
    }
  }

  /** One run; when it fails for a reason that may lie in one request, each is tried alone. */
  async #run(
    members: readonly CheckedRequest[],
    deadline: (work: Promise<unknown>) => Promise<(SilverlodeError | undefined)[]>,
    cancel: CancelFlag | undefined,
  ): Promise<Answer[]> {
    try {
      const run = this.run(members, cancel);
      const late = await deadline(run);
      // A request in time means that the run has ended, so awaiting it again costs nothing.
      const ran = late.every((error) => error !== undefined) ? undefined : await run;
      return members.map((_, b) => late[b] ?? resultOf(ran as Ran, b));
    } catch (error) {
      const failed = asError(error);
      if (members.length === 1 || failed.code !== 'INVALID_ARGUMENT') return members.map(() => failed);
      const alone = [];
      for (const member of members) alone.push(...(await this.#run([member], async () => [undefined], cancel)));
      return alone;
    }
  }

  #askBatch(batch: RetrieveBatchRequest): AskedRequest[] {
    const { embeddings, count, filters, exclude, ...shared } = batch;
    const foreign = [
      'embedding',
      'user',
      'like',
      'filter',
      'deadlineMs',
      'offset',
      'groups',
      'boost',
      'diversity',
      'select',
    ].find((name) => name in shared);
    if (foreign !== undefined) {
      const message = `retrieveBatch takes no '${foreign}': embeddings and filters have one entry per request, lists are whole, a signal ends it`;
      throw new SilverlodeError('INVALID_ARGUMENT', message, { field: foreign });
    }
    const { dims } = this.current().main.manifest;
    const fits = Number.isInteger(count) && count >= 0 && isTypedArrayOf(embeddings, Float32Array);
    if (!fits || embeddings.length !== count * dims) {
      throw new SilverlodeError(
        'SHAPE_MISMATCH',
        `embeddings must be a Float32Array of count x ${dims}, count is ${count}`,
      );
    }
    if ((filters && filters.length !== count) || (exclude && exclude.length !== count)) {
      throw new SilverlodeError('SHAPE_MISMATCH', 'filters and exclude need one entry per request');
    }
    return Array.from({ length: count }, (_, i) =>
      named(i, () => {
        const embedding = embeddings.subarray(i * dims, (i + 1) * dims);
        return this.checker.ask({ embedding, filter: filters?.[i], exclude: exclude?.[i], ...shared });
      }),
    );
  }
}

function orError<T>(work: () => T): T | SilverlodeError {
  try {
    return work();
  } catch (error) {
    return asError(error);
  }
}

/** Names the request that fails. */
function named<T>(request: number, work: () => T): T {
  const result = orError(work);
  if (!(result instanceof SilverlodeError)) return result;
  throw new SilverlodeError(result.code, `request ${request}: ${result.message}`, { ...result, request });
}

function resultOf({ requests, outputs }: Ran, b: number): RetrieveResult {
  return toResult(outputs, requests[b] as CheckedRequest, b);
}

/** Ids of several runs; numbers come back in the widest of their types. */
function joinIds(parts: readonly FlatIds[], version: Version): FlatIds {
  const [first] = parts;
  if (first === undefined) return version.main.ids.gather(new Int32Array(0));
  if (Array.isArray(first)) return parts.length === 1 ? first : (parts as string[][]).flat();
  const wide = parts.find((part) => isTypedArrayOf(part, Float64Array)) ?? first;
  return joinArrays(parts as Float64Array[], wide.constructor as Float64ArrayConstructor);
}

function joinArrays<T extends Float32Array | Float64Array>(parts: readonly T[], type: new (length: number) => T): T {
  if (parts.length === 1) return parts[0] as T;
  const joined = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
