// Dynamic batching: concurrent calls of retrieve become few native runs.
import { requireKnown, SilverlodeError } from '../errors.js';
import type { RetrieveRequest, RetrieveResult } from '../retrieval/types.js';
import { type Batch, BatchQueue, type Pending } from './batch_queue.js';
import { BATCH_BOUNDS, Histogram, type HistogramData, MILLISECOND_BOUNDS } from './histogram.js';
import { RunSlots, type SlotUser } from './run_slots.js';

/** What a batcher needs of a model; `RetrievalModel` has it. */
export interface BatchModel {
  retrieve(
    requests: readonly RetrieveRequest[],
    options?: { signal?: AbortSignal },
  ): Promise<(RetrieveResult | SilverlodeError)[]>;
}

/** One native run, as the hook sees it. */
export interface RunEvent {
  /** Requests in it. */
  size: number;
  /** Milliseconds that each of them waited for its run. */
  waits: readonly number[];
  /** Milliseconds from the start of the run to its answers. */
  milliseconds: number;
}

/** Options of {@link Batcher}. */
export interface BatcherOptions {
  /** Requests per run; default 64. */
  maxBatch?: number;
  /**
   * While a run is in flight and another may start beside it, how long a request may wait for company, in microseconds;
   * default 500. Without a run in flight nothing waits.
   */
  maxDelayMicroseconds?: number;
  /** Requests that may wait; beyond them `OVERLOADED`. Default 1024. */
  maxQueue?: number;
  /** Runs in flight at once, shared with other batchers; default: two of its own. */
  slots?: RunSlots;
  /** Share of run time among batchers with the same slots; default 1. */
  weight?: number;
  /** Called after every run. It must not throw. */
  onRun?: (event: RunEvent) => void;
}

/** Options of one call of {@link Batcher.retrieve}. */
export interface BatchedCall {
  /** The call ends at once. */
  signal?: AbortSignal;
  /** Called when the run of this call starts: milliseconds that it waited, and requests in the run. It must not throw. */
  onStart?: (waited: number, batch: number) => void;
}

/** What a batcher has done so far, as plain data. */
export interface BatcherStatistics {
  /** Requests that wait for a run now. */
  queued: number;
  /** Runs in flight now. */
  running: number;
  /** Requests accepted so far. */
  accepted: number;
  /** Of all that were settled: with a result, and with an error by its code. */
  answered: number;
  failed: Readonly<Record<string, number>>;
  batchSizes: HistogramData;
  /** Milliseconds from the call to the start of its run. */
  waits: HistogramData;
  /** Milliseconds of runs. */
  runs: HistogramData;
}

const DEFAULTS = { maxBatch: 64, maxDelayMicroseconds: 500, maxQueue: 1024 };

/**
 * Groups concurrent `retrieve` calls into native runs of one model.
 *
 * When nothing is in flight a call starts at the end of the event loop's current turn, together with all others of that turn.
 * While a run is in flight calls gather; the next run starts when it ends, or beside it when a batch is full or the oldest
 * call has waited for `maxDelayMicroseconds` and a slot is free. Requests of different size (input, heads, power of two of
 * `k` and `candidates`) run separately, with equal shares of run time, so small ones do not wait behind large ones; above a width
 * of 4 096 fewer of them share a run, so that its memory stays bounded.
 *
 * Filter, k, weights and all else stay each request's own, also its deadline and signal: a request whose deadline passes
 * fails with `DEADLINE` at that moment, before any work if it still waits; a run ends early when none of its requests is wanted.
 *
 * @example
 * ```ts
 * const batcher = new Batcher(model, { maxBatch: 64, maxDelayMicroseconds: 300 });
 * const { ids } = await batcher.retrieve({ embedding, k: 20, deadlineMs: 50 }, { signal });
 * ```
 */
export class Batcher {
  readonly #limits: typeof DEFAULTS;
  readonly #queue = new BatchQueue();
  readonly #slot: SlotUser;
  readonly #sizes = new Histogram(BATCH_BOUNDS);
  readonly #waits = new Histogram(MILLISECOND_BOUNDS);
  readonly #runs = new Histogram(MILLISECOND_BOUNDS);
  readonly #failed: Record<string, number> = {};
  #accepted = 0;
  #answered = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #onClosed: () => void = () => undefined;

  constructor(
    private readonly model: BatchModel,
    private readonly options: BatcherOptions = {},
  ) {
    this.#limits = checkOptions(options);
    this.#slot = (options.slots ?? new RunSlots()).join(options.weight);
  }

  /**
   * Answers one request.
   *
   * @throws SilverlodeError what `RetrievalModel.retrieve` throws, `OVERLOADED` when the queue is full, `DEADLINE`, `ABORTED`,
   * `DISPOSED` after `close()`.
   */
  retrieve(request: RetrieveRequest, call: BatchedCall = {}): Promise<RetrieveResult> {
    const refusal = this.#refusal(request, call.signal);
    if (refusal) {
      this.#count(refusal);
      return Promise.reject(refusal);
    }
    this.#accepted += 1;
    return new Promise((resolve, reject) => {
      this.#queue.add(this.#pending(request, call, resolve, reject));
      this.#schedule();
    });
  }

  /** The `OVERLOADED` error that a call would meet now; undefined when there is room. */
  get overload(): SilverlodeError | undefined {
    const { maxQueue } = this.#limits;
    if (this.#queue.length < maxQueue) return undefined;
    return new SilverlodeError('OVERLOADED', `${maxQueue} requests are waiting already`, { queued: maxQueue });
  }

  statistics(): BatcherStatistics {
    return {
      queued: this.#queue.length,
      running: this.#slot.held,
      accepted: this.#accepted,
      answered: this.#answered,
      failed: { ...this.#failed },
      batchSizes: this.#sizes.data(),
      waits: this.#waits.data(),
      runs: this.#runs.data(),
    };
  }

  /** No new calls (`DISPOSED`); settles when those accepted before are answered. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#settleClose();
    return this.#closed;
  }

  #refusal(request: RetrieveRequest, signal: AbortSignal | undefined): SilverlodeError | undefined {
    if (this.#closed) return new SilverlodeError('DISPOSED', 'the batcher was closed');
    if (typeof request !== 'object' || request === null)
      return new SilverlodeError('INVALID_ARGUMENT', 'a request must be an object');
    const { deadlineMs } = request;
    if (deadlineMs !== undefined && !(typeof deadlineMs === 'number' && deadlineMs >= 0))
      return new SilverlodeError(
        'INVALID_ARGUMENT',
        `deadlineMs must be a number of milliseconds, got ${String(deadlineMs)}`,
      );
    if (signal?.aborted) return aborted(signal);
    if (deadlineMs === 0) return deadlinePassed(0);
    return this.overload;
  }

  #pending(
    { deadlineMs, ...request }: RetrieveRequest,
    { signal, onStart }: BatchedCall,
    resolve: (result: RetrieveResult) => void,
    reject: (error: Error) => void,
  ): Pending {
    const settle = (outcome: RetrieveResult | Error) => {
      if (pending.settled) return;
      pending.settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#count(outcome);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const giveUp = (error: SilverlodeError) => {
      if (!this.#started.has(pending)) this.#queue.forget();
      settle(error);
      this.#started.get(pending)?.();
      this.#settleClose();
    };
    const onAbort = () => giveUp(aborted(signal as AbortSignal));
    const pending: Pending = { request, arrived: performance.now(), onStart, settle, settled: false };
    const timer =
      deadlineMs !== undefined && deadlineMs <= MAX_TIMEOUT
        ? setTimeout(() => giveUp(deadlinePassed(deadlineMs)), deadlineMs)
        : undefined;
    signal?.addEventListener('abort', onAbort, { once: true });
    return pending;
  }

  /** Requests in flight; the function tells their run that one of them is wanted no more. */
  readonly #started = new Map<Pending, () => void>();

  #count(outcome: RetrieveResult | Error): void {
    if (!(outcome instanceof Error)) this.#answered += 1;
    else {
      const code = outcome instanceof SilverlodeError ? outcome.code : 'INTERNAL';
      this.#failed[code] = (this.#failed[code] ?? 0) + 1;
    }
  }

  /** Looks at the queue when the current turn of the event loop is over. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    if (this.#queue.length === 0) return;
    const { isFull, oldest } = this.#queue.pressure(this.#limits.maxBatch);
    const wait = this.#limits.maxDelayMicroseconds / 1000 - (performance.now() - oldest);
    const mayWait = this.#slot.held > 0 && this.#slot.isFree && !isFull;
    if (!mayWait || wait <= 0) this.#slot.ask(() => this.#run());
    // Timers count whole milliseconds; a shorter delay is waited for turn by turn.
    else if (wait < 1) this.#schedule();
    else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#schedule();
      }, Math.floor(wait));
  }

  async #run(): Promise<void> {
    const batch = this.#queue.take(this.#limits.maxBatch);
    if (batch === undefined) return;
    if (this.#queue.length > 0) this.#schedule();
    const started = performance.now();
    const size = batch.members.length;
    const waits = batch.members.map(({ arrived }) => started - arrived);
    await this.#answer(batch, waits);
    const milliseconds = performance.now() - started;
    batch.done(milliseconds);
    this.#sizes.add(size);
    this.#runs.add(milliseconds);
    for (const wait of waits) this.#waits.add(wait);
    this.options.onRun?.({ size, waits, milliseconds });
    if (this.#queue.length > 0) this.#slot.ask(() => this.#run()); // before the slot is free again, or others always win it
    this.#settleClose();
  }

  async #answer({ members }: Batch, waits: readonly number[]): Promise<void> {
    const controller = new AbortController();
    const whenUnwanted = () => {
      if (members.every(({ settled }) => settled)) controller.abort();
    };
    for (const member of members) this.#started.set(member, whenUnwanted);
    try {
      members.forEach(({ onStart }, i) => {
        onStart?.(waits[i] as number, members.length);
      });
      const requests = members.map(({ request }) => request);
      const answers = await this.model.retrieve(requests, { signal: controller.signal });
      members.forEach((member, i) => {
        member.settle(answers[i] as RetrieveResult | SilverlodeError);
      });
    } catch (error) {
      const failed = error instanceof Error ? error : new SilverlodeError('INTERNAL', String(error));
      for (const member of members) member.settle(failed);
    } finally {
      for (const member of members) this.#started.delete(member);
    }
  }

  #settleClose(): void {
    if (this.#queue.length === 0 && this.#started.size === 0) this.#onClosed();
  }
}

/** Longer ones would fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

function aborted(signal: AbortSignal): SilverlodeError {
  return new SilverlodeError('ABORTED', 'the operation was aborted', {}, { cause: signal.reason });
}

function deadlinePassed(deadlineMs: number): SilverlodeError {
  return new SilverlodeError('DEADLINE', `the deadline of ${deadlineMs} ms has passed`, { deadlineMs });
}

function checkOptions(options: BatcherOptions): typeof DEFAULTS {
  requireKnown('batcher options', options, [...Object.keys(DEFAULTS), 'slots', 'weight', 'onRun']);
  const limits = { ...DEFAULTS };
  for (const name of ['maxBatch', 'maxDelayMicroseconds', 'maxQueue'] as const) {
    const value = options[name] ?? limits[name];
    const least = name === 'maxDelayMicroseconds' ? 0 : 1;
    if (!Number.isInteger(value) || value < least)
      throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be an integer of at least ${least}, got ${value}`);
    limits[name] = value;
  }
  return limits;
}
