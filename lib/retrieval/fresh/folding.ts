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

export class Folding {
  #running: { readonly done: Promise<void>; readonly own: AbortController | undefined } | undefined;
  #state: CompactionState;

  constructor(
    automatic: boolean,
    private readonly fold: (options: FoldOptions) => Promise<void>,
  ) {
    const none = { reason: undefined, milliseconds: undefined, error: undefined };
    this.#state = { automatic, running: undefined, folds: 0, failures: 0, ...none };
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get state(): CompactionState {
    return this.#state;
  }

  /** @throws SilverlodeError `INVALID_ARGUMENT` while another that was asked for is under way. */
  ask(options: FoldOptions): Promise<void> {
    const before = this.#running;
    if (before && !before.own)
      throw new SilverlodeError('INVALID_ARGUMENT', 'the catalogue is being compacted already');
    before?.own?.abort();
    return this.#begin('asked', options, undefined, before?.done);
  }

  /** A folding that begins by itself; one that is under way does its work. */
  begin(reason: FoldReason): Promise<void> {
    if (this.#running) return this.#running.done;
    const own = new AbortController();
    return this.#begin(reason, { signal: own.signal }, own);
  }

  /** Ends what began by itself. Settles when nothing is under way. */
  async stop(): Promise<void> {
    this.#running?.own?.abort();
    await this.#running?.done.catch(() => undefined);
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
        this.#tell({ folds: this.#state.folds + 1, error: undefined });
      } catch (error) {
        if (!own?.signal.aborted) this.#tell({ failures: this.#state.failures + 1, error: (error as Error).message });
        throw error;
      } finally {
        this.#tell({ reason, milliseconds: performance.now() - begun });
        if (this.#running === running) {
          this.#running = undefined;
          this.#tell({ running: undefined });
        }
      }
    };
    const running = { done: work(), own };
    this.#running = running;
    this.#tell({ running: reason });
    return running.done;
  }

  #tell(facts: Partial<CompactionState>): void {
    this.#state = { ...this.#state, ...facts };
  }
}
