// Ctrl-C as an AbortSignal, for commands that would leave something half done.

/**
 * Aborts its signal on the first SIGINT or SIGTERM; a second one ends the process as usual.
 *
 * @example
 * ```ts
 * using interrupt = new Interrupt();
 * await model.save(path, { signal: interrupt.signal });
 * ```
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #abort = (): void => {
    this[Symbol.dispose]();
    this.#controller.abort(new Error('interrupted'));
  };

  constructor() {
    process.on('SIGINT', this.#abort).on('SIGTERM', this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#abort).off('SIGTERM', this.#abort);
  }
}
