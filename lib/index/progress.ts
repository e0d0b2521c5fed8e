import { SilverlodeError } from '../errors.js';

/** Where long work stands: a stage, and how much of it is done. */
export interface ProgressEvent {
  stage: string;
  done: number;
  total: number;
  /** What a person should know of how the stage is done; only on its first event. */
  hint?: string;
}

/** Reports progress and honours an AbortSignal between steps. */
export class Progress {
  constructor(
    private readonly onProgress?: (event: ProgressEvent) => void,
    readonly signal?: AbortSignal,
  ) {}

  /** @throws SilverlodeError `ABORTED` with the signal's reason as cause. */
  step(stage: string, done: number, total: number, hint?: string): void {
    if (this.signal?.aborted)
      throw new SilverlodeError('ABORTED', `aborted during ${stage}`, {}, { cause: this.signal.reason });
    this.onProgress?.({ stage, done, total, ...(hint === undefined ? {} : { hint }) });
  }
}

/** Lets the event loop run: long loops in TypeScript call it every few milliseconds of work. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Rows between two turns of the event loop in loops that do little per row: about a millisecond of work. */
export const PIECE_ROWS = 32_768;

/** Calls `work` on consecutive ranges that make up `count`, and lets the event loop run between them. */
export async function inPieces(
  count: number,
  work: (begin: number, end: number) => void,
  piece = PIECE_ROWS,
): Promise<void> {
  for (let begin = 0; begin < count; begin += piece) {
    if (begin > 0) await breathe();
    work(begin, Math.min(count, begin + piece));
  }
}
