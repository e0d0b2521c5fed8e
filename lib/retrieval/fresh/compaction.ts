// When a catalogue folds by itself.
import { requireKnown, SilverlodeError } from '../../errors.js';

/** Thresholds of folding in the background: it starts when the first of them is reached. */
export interface CompactionOptions {
  /** Rows that are fresh or whose items were deleted or replaced, as a share of the items; default 0.1. */
  freshShare?: number;
  /** Fresh rows that a request scans, as a share of the published ones that it is expected to scan; default 1. */
  freshCost?: number;
  /** Milliseconds without an update after which what came before is folded; default 30 000. */
  idleMs?: number;
  /**
   * Milliseconds that an update waits for room while folding lags behind, then it is refused with `OVERLOADED`; default 30 000. Those
   * of a log wait as long as it takes.
   */
  waitMs?: number;
}

/** Why the last folding began: a threshold, `memory` for `maxFreshItems`, `asked` for a call of `compact`. */
export type FoldReason = 'share' | 'cost' | 'idle' | 'memory' | 'asked';

/** What there is to fold. */
export interface Unfolded {
  items: number;
  freshRows: number;
  deletedRows: number;
  maxFreshItems: number;
  /** Published rows that a request is expected to scan. */
  scannedRows: number;
}

/** Fewer changed rows than these cost requests next to nothing. */
const LEAST_ROWS = 1024;
/** Share of `maxFreshItems` from which on room is made, whatever it costs. */
const SCARCE = 0.5;
/** Times as long as it took, a folding is followed by none: at most a quarter of one thread's time is spent on it. */
const REST = 3;
/** Milliseconds before a folding that failed is tried again; twice as many after every further failure. */
const [FIRST_RETRY, LAST_RETRY] = [1000, 300_000];

const DEFAULTS = { freshShare: 0.1, freshCost: 1, idleMs: 30_000, waitMs: 30_000 } as const;
/** What a timer can wait for. */
const LONGEST_MS = 2 ** 31 - 1;

/** @returns Undefined where folding is left to the caller. @throws SilverlodeError `INVALID_ARGUMENT`. */
export function checkCompaction(given: CompactionOptions | false = {}): Required<CompactionOptions> | undefined {
  if (given === false) return undefined;
  if (typeof given !== 'object' || given === null)
    throw new SilverlodeError('INVALID_ARGUMENT', `compaction must be an object or false, got ${String(given)}`);
  requireKnown('compaction options', given, Object.keys(DEFAULTS));
  const options = {
    ...DEFAULTS,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  for (const [name, value] of Object.entries(options)) {
    const isTime = name.endsWith('Ms');
    const fits = typeof value === 'number' && value >= 0 && (isTime ? value <= LONGEST_MS : value > 0);
    if (fits) continue;
    const range = isTime ? `between 0 and ${LONGEST_MS}` : 'above 0';
    throw new SilverlodeError('INVALID_ARGUMENT', `compaction.${name} must be a number ${range}, got ${String(value)}`);
  }
  return options;
}

/** The threshold that is reached, other than that of time. */
export function reasonToFold(
  { items, freshRows, deletedRows, maxFreshItems, scannedRows }: Unfolded,
  { freshShare, freshCost }: Pick<Required<CompactionOptions>, 'freshShare' | 'freshCost'>,
): FoldReason | undefined {
  if (items === 0) return undefined; // nothing that could be folded
  if (freshRows > SCARCE * maxFreshItems) return 'memory';
  if (freshRows + deletedRows < LEAST_ROWS) return undefined;
  if (freshRows + deletedRows > freshShare * items) return 'share';
  return freshRows > freshCost * scannedRows ? 'cost' : undefined;
}

/** Folds when it is due, one at a time, with rests; what is yet to begin keeps no process alive. */
export class FoldSchedule {
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #stopped = false;
  /** By `performance.now()`: when the next folding may begin, out of need and otherwise. */
  #retryAt = 0;
  #restUntil = 0;
  #failures = 0;
  /** Called when a folding has ended, or none will follow. */
  #waiting = new Set<() => void>();

  /** @param fold Folds; another folding that is under way is waited for. */
  constructor(
    private readonly options: Required<CompactionOptions>,
    private readonly unfolded: () => Unfolded,
    private readonly fold: (reason: FoldReason) => Promise<void>,
  ) {}

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Called after every change. */
  changed(): void {
    if (this.#stopped || this.#running) return;
    const state = this.unfolded();
    const reason = reasonToFold(state, this.options);
    const now = performance.now();
    if (reason !== undefined) {
      this.#startIn(Math.max(this.#retryAt, reason === 'memory' ? 0 : this.#restUntil) - now, reason);
    } else if (state.items > 0 && state.freshRows + state.deletedRows >= LEAST_ROWS) {
      this.#startIn(Math.max(this.#retryAt - now, this.#restUntil - now, this.options.idleMs), 'idle');
    } else {
      clearTimeout(this.#timer);
    }
  }

  /** Whether an update that came at a time of `performance.now()` and finds no room may wait for it. */
  mayWait(since: number): boolean {
    return !this.#stopped && performance.now() - since < this.options.waitMs;
  }

  /** Folds to make room. Settles when that was tried, at the latest after `waitMs`. */
  async room(): Promise<void> {
    if (this.#stopped) return;
    if (!this.#running) this.#startIn(this.#retryAt - performance.now(), 'memory');
    await new Promise<void>((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, this.options.waitMs); // of somebody who waits, so that the process does too
      this.#waiting.add(settle);
    });
  }

  /** No folding begins any more, and nobody waits for one. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#wake();
  }

  #startIn(ms: number, reason: FoldReason): void {
    clearTimeout(this.#timer);
    if (ms <= 0) void this.#start(reason);
    else this.#timer = setTimeout(() => this.#start(reason), ms).unref();
  }

  async #start(reason: FoldReason): Promise<void> {
    if (this.#stopped || this.#running) return;
    this.#running = true;
    const begun = performance.now();
    const failed = await this.fold(reason).then(
      () => false,
      () => true, // the catalogue tells
    );
    const now = performance.now();
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#retryAt = failed ? now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (this.#failures - 1)) : 0;
    this.#restUntil = now + REST * (now - begun);
    this.#running = false;
    this.#wake();
    this.changed();
  }

  #wake(): void {
    for (const settle of this.#waiting) settle();
  }
}
