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

/** Milliseconds of work between two turns of the event loop. */
const TURN_MS = 4;

/** For work in steps of any length, some of which may wait without giving the event loop a turn. */
export class Turns {
  #since = performance.now();

  /** Lets the event loop run if it has not for some milliseconds. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < TURN_MS) return;
    await breathe();
    this.#since = performance.now();
  }
}

/** Calls `work` with every number below `count`, and lets the event loop run in between. */
export async function inTurns(count: number, work: (i: number) => void): Promise<void> {
  const turns = new Turns();
  for (let i = 0; i < count; i++) {
    work(i);
    await turns.rest();
  }
}

/** Rows between two turns of the event loop in loops that do little per row: less than a millisecond of work. */
export const PIECE_ROWS = 8192;
/** The same for numbers of which one at a time is worked on. */
export const PIECE_NUMBERS = 2 ** 17;

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
