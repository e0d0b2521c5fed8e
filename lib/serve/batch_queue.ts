// Waiting requests, in classes of like size: a small request neither waits behind large ones nor pays for their width.
import type { RetrieveRequest, RetrieveResult } from '../retrieval/types.js';
import { FairClock, Share } from './fair_share.js';

/** A request from its arrival until it is settled. */
export interface Pending {
  readonly request: RetrieveRequest;
  /** `performance.now()` of its arrival. */
  readonly arrived: number;
  readonly onStart: ((waited: number, batch: number) => void) | undefined;
  /** Settles it once; later calls do nothing. */
  readonly settle: (outcome: RetrieveResult | Error) => void;
  settled: boolean;
}

/** Requests of one class, taken together. */
export interface Batch {
  readonly members: readonly Pending[];
  /** Tells what the run cost in milliseconds, so that classes get equal shares of run time. */
  readonly done: (milliseconds: number) => void;
}

interface SizeClass {
  readonly share: Share;
  /** Largest list of its requests, rounded up. */
  readonly width: number;
  /** In order of arrival; settled ones stay until they are met. */
  readonly waiting: Pending[];
}

/** Lists shorter than this run at the same width. */
const LEAST_WIDTH = 128;
const DEFAULT_K = 100;

/** Classes remembered while nothing of them waits. */
const MAX_CLASSES = 64;

/** Up to this width batches are as long as they may be; wider ones are cut, so that a run's memory stays bounded. */
const FULL_WIDTH = 4096;

/** Waiting requests. */
export class BatchQueue {
  readonly #classes = new Map<string, SizeClass>();
  readonly #clock = new FairClock();
  #length = 0;

  /** Requests that wait and are not settled. */
  get length(): number {
    return this.#length;
  }

  add(pending: Pending): void {
    const { key, width } = classOf(pending.request);
    const known = this.#classes.get(key);
    const own = known ?? { share: new Share(), width, waiting: [] };
    if (!known) {
      if (this.#classes.size >= MAX_CLASSES) this.#forgetIdle();
      this.#classes.set(key, own);
    }
    if (own.waiting.length === 0) this.#clock.wake(own.share);
    own.waiting.push(pending);
    this.#length += 1;
  }

  /** Classes come from what callers send, so those without requests are not kept for ever. */
  #forgetIdle(): void {
    for (const [key, { waiting }] of this.#classes) if (waiting.length === 0) this.#classes.delete(key);
  }

  /** A waiting request was settled before its turn. */
  forget(): void {
    this.#length -= 1;
  }

  /** Whether some class fills a run, and `performance.now()` of the oldest arrival. */
  pressure(maxBatch: number): { isFull: boolean; oldest: number } {
    let isFull = false;
    let oldest = Number.POSITIVE_INFINITY;
    for (const { waiting, width } of this.#classes.values()) {
      dropSettled(waiting);
      isFull ||= waiting.length >= batchLimit(maxBatch, width);
      oldest = Math.min(oldest, waiting[0]?.arrived ?? Number.POSITIVE_INFINITY);
    }
    return { isFull, oldest };
  }

  /** The first requests of the class that has had the least run time; undefined when nothing waits. */
  take(maxBatch: number): Batch | undefined {
    const classes = [...this.#classes].filter(([, { waiting }]) => {
      dropSettled(waiting);
      return waiting.length > 0;
    });
    const chosen = this.#clock.next(classes, ([, { share }]) => share);
    if (chosen === undefined) return undefined;
    const { share, waiting, width } = chosen[1];
    const limit = batchLimit(maxBatch, width);
    const members: Pending[] = [];
    let read = 0;
    while (read < waiting.length && members.length < limit) {
      const pending = waiting[read++] as Pending;
      if (!pending.settled) members.push(pending);
    }
    waiting.splice(0, read);
    this.#length -= members.length;
    const charged = share.begin();
    return { members, done: (milliseconds) => share.end(charged, milliseconds) };
  }
}

function dropSettled(waiting: Pending[]): void {
  let settled = 0;
  while (waiting[settled]?.settled) settled++;
  if (settled > 0) waiting.splice(0, settled);
}

function batchLimit(maxBatch: number, width: number): number {
  return Math.max(1, Math.min(maxBatch, Math.floor((maxBatch * FULL_WIDTH) / width)));
}

/** Requests of one class share native runs: same input, same number of heads, list lengths in the same power of two. */
function classOf({ embedding, user, k, candidates }: RetrieveRequest): { key: string; width: number } {
  const heads = Array.isArray(embedding) ? embedding.length : 1;
  const longest = Math.max(LEAST_WIDTH, Number(k ?? DEFAULT_K) || 0, Number(candidates ?? 0) || 0);
  const width = 2 ** Math.ceil(Math.log2(longest));
  return { key: `${user === undefined ? 'embedding' : 'user'} ${heads} ${width}`, width };
}
