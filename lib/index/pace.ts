import { breathe, PIECE_ROWS, Progress, type ProgressEvent } from './progress.js';

/** How long work is watched and stopped. */
export interface WorkOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** Loops over many items that let the event loop run, stop when asked, and tell how far they are. */
export class Pace {
  private readonly progress: Progress;
  private done = 0;
  private unreported = 0;

  /** @param total Steps of all loops of the stage together. */
  constructor(
    private readonly stage: string,
    private readonly total: number,
    { onProgress, signal }: WorkOptions,
  ) {
    this.progress = new Progress(onProgress, signal);
    this.progress.step(stage, 0, total);
  }

  /** Calls `work` on consecutive ranges that make up `count`. */
  async over(count: number, work: (begin: number, end: number) => void): Promise<void> {
    for (let begin = 0; begin < count; begin += PIECE_ROWS) {
      const end = Math.min(count, begin + PIECE_ROWS);
      work(begin, end);
      await this.spend(end - begin);
    }
  }

  /**
   * Counts steps done, and rests once there are enough of them.
   *
   * @throws {@link SilverlodeError} `ABORTED`, with the signal's reason as cause.
   */
  async spend(steps: number): Promise<void> {
    this.done = Math.min(this.total, this.done + steps);
    this.unreported += steps;
    if (this.unreported < PIECE_ROWS) return;
    this.unreported = 0;
    await breathe();
    this.progress.step(this.stage, this.done, this.total);
  }

  /** Reports the whole as done. */
  finish(): void {
    this.progress.step(this.stage, this.total, this.total);
  }
}
