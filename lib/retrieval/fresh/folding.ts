// One folding at a time: one that was asked for takes the place of one that began by itself.
import { SilverlodeError } from '../../errors.js';
import type { FoldReason } from './compaction.js';
import type { FoldOptions } from './fold.js';

/** What became of folding since the model was loaded. */
export interface CompactionState {
  /** Whether it begins by itself. */
  automatic: boolean;
  /** Why one is under way. */
  running: FoldReason | undefined;
  /** Times that it succeeded and failed. */
  folds: number;
  failures: number;
  /** Of the last one: why it began, how long it took, and what it failed with. */
  reason: FoldReason | undefined;
  milliseconds: number | undefined;
  error: string | undefined;
}

interface Run {
  readonly reason: FoldReason;
  readonly done: Promise<void>;
  /** Ends it; undefined where it was asked for. */
  readonly own: AbortController | undefined;
}

export class Folding {
  #run: Run | undefined;
  #last: Omit<CompactionState, 'automatic' | 'running'> = {
    folds: 0,
    failures: 0,
    reason: undefined,
    milliseconds: undefined,
    error: undefined,
  };

  constructor(
    private readonly automatic: boolean,
    private readonly fold: (options: FoldOptions) => Promise<void>,
  ) {}

  get state(): CompactionState {
    return { automatic: this.automatic, running: this.#run?.reason, ...this.#last };
  }

  /** @throws SilverlodeError `INVALID_ARGUMENT` while another that was asked for is under way. */
  ask(options: FoldOptions): Promise<void> {
    const before = this.#run;
    if (before && !before.own)
      throw new SilverlodeError('INVALID_ARGUMENT', 'the catalogue is being compacted already');
    before?.own?.abort();
    return this.#begin('asked', options, undefined, before?.done);
  }

  /** A folding that begins by itself; one that is under way does its work. */
  begin(reason: FoldReason): Promise<void> {
    if (this.#run) return this.#run.done;
    const own = new AbortController();
    return this.#begin(reason, { signal: own.signal }, own);
  }

  /** Ends what began by itself. Settles when nothing is under way. */
  async stop(): Promise<void> {
    this.#run?.own?.abort();
    await this.#run?.done.catch(() => undefined);
  }

  #begin(
    reason: FoldReason,
    options: FoldOptions,
    own: AbortController | undefined,
    before: Promise<void> = Promise.resolve(),
  ): Promise<void> {
    const work = async () => {
      await before.catch(() => undefined);
      const begun = performance.now();
      try {
        await this.fold(options);
        this.#last = { ...this.#last, folds: this.#last.folds + 1, error: undefined };
      } catch (error) {
        const { message } = error as Error;
        if (!own?.signal.aborted) this.#last = { ...this.#last, failures: this.#last.failures + 1, error: message };
        throw error;
      } finally {
        this.#last = { ...this.#last, reason, milliseconds: performance.now() - begun };
        if (this.#run === run) this.#run = undefined; // else another has taken its place
      }
    };
    const run = { reason, done: work(), own };
    this.#run = run;
    return run.done;
  }
}
