// Progress on a terminal; silence everywhere else, so that logs and pipes stay clean.

import { SingleBar } from 'cli-progress';

/** Options of {@link Progress}. */
export interface ProgressOptions {
  /** Where to draw; default stderr, since stdout is for results. */
  stream?: NodeJS.WriteStream;
  /** Draw nothing, whatever the stream is. */
  quiet?: boolean;
}

/**
 * One bar for one stage after another. Draws only when the stream is a terminal.
 *
 * @example
 * ```ts
 * using progress = new Progress();
 * await readVectors(path, { onProgress: (done, total) => progress.update('reading vectors', done, total) });
 * ```
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream | undefined;
  #bar: SingleBar | undefined;
  #stage = '';

  constructor({ stream = process.stderr, quiet = false }: ProgressOptions = {}) {
    if (stream.isTTY && !quiet) this.#stream = stream;
  }

  /** Shows how far a stage is, in any unit. Another stage than before completes its bar and opens a new one. */
  update(stage: string, done: number, total: number): void {
    if (!this.#stream) return;
    if (stage !== this.#stage || !this.#bar) {
      this.#bar?.update(this.#bar.getTotal());
      this.stop();
      this.#stage = stage;
      this.#bar = new SingleBar({
        stream: this.#stream,
        format: `${stage.padEnd(20)} {bar} {percentage} % {duration_formatted}`,
        barsize: 30,
        // The library's own signal handlers would swallow Ctrl-C; it has no terminal settings to restore here.
        gracefulExit: false,
        hideCursor: null,
        linewrap: null,
      });
      this.#bar.start(total, done);
    }
    this.#bar.setTotal(total);
    this.#bar.update(done);
  }

  /** Tells whoever waits something about the stage that comes next. */
  hint(text: string): void {
    this.stop();
    this.#stream?.write(`hint: ${text}\n`);
  }

  /** Leaves the last bar as it is and goes to a new line. Errors and results are printed after this. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
