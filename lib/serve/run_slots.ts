import { SilverlodeError } from '../errors.js';
import { FairClock, Share } from './fair_share.js';
import { Load } from './load.js';

/** Two: while one run computes, the answers of the one before are decoded and the next one is encoded. */
export const DEFAULT_SLOTS = 2;

/** One party's place at the slots. */
export interface SlotUser {
  /**
   * Asks for a slot; `run` is called as soon as one is free, perhaps at once. Asking again before that changes nothing.
   *
   * @param run Settles when the slot is free again; it must not reject.
   */
  ask(run: () => Promise<void>): void;
  /** Slots held now. */
  readonly held: number;
  /** A slot can be had at once. */
  readonly isFree: boolean;
}

/**
 * The runs that may be in flight at once in a process, shared among models by weight: when all are taken, the model with the
 * least run time per weight goes next.
 *
 * @example
 * ```ts
 * const slots = new RunSlots(2);
 * const books = new Batcher(bookModel, { slots, weight: 3 });
 * const films = new Batcher(filmModel, { slots, weight: 1 });
 * ```
 */
export class RunSlots {
  readonly #clock = new FairClock();
  readonly #waiting = new Map<Share, { run: () => Promise<void>; user: User }>();
  /** What the runs take of the time there is. */
  readonly load = new Load();
  #free: number;

  /** @param count Runs in flight at once. */
  constructor(private readonly count = DEFAULT_SLOTS) {
    if (!Number.isInteger(count) || count < 1)
      throw new SilverlodeError('INVALID_ARGUMENT', `slots must be a positive integer, got ${String(count)}`);
    this.#free = count;
  }

  /** @param weight Share of the run time while others wait too. */
  join(weight = 1): SlotUser {
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
      throw new SilverlodeError('INVALID_ARGUMENT', `weight must be a positive number, got ${String(weight)}`);
    const share = new Share(weight);
    const hasFree = () => this.#free > 0;
    const user: User = {
      held: 0,
      get isFree() {
        return hasFree();
      },
      ask: (run) => {
        if (this.#waiting.has(share)) return;
        if (user.held === 0) this.#clock.wake(share);
        this.#waiting.set(share, { run, user });
        this.#grant();
      },
    };
    return user;
  }

  #grant(): void {
    while (this.#free > 0) {
      const share = this.#clock.next(this.#waiting.keys(), (each) => each);
      if (share === undefined) return;
      const { run, user } = this.#waiting.get(share) as { run: () => Promise<void>; user: User };
      this.#waiting.delete(share);
      if (this.#free === this.count) this.load.busy(true);
      this.#free -= 1;
      user.held += 1;
      void this.#hold(share, user, run);
    }
  }

  async #hold(share: Share, user: User, run: () => Promise<void>): Promise<void> {
    const charged = share.begin();
    const started = performance.now();
    try {
      await run();
    } finally {
      share.end(charged, performance.now() - started);
      user.held -= 1;
      this.#free += 1;
      this.#grant();
      if (this.#free === this.count) this.load.busy(false);
    }
  }
}

interface User extends SlotUser {
  held: number;
}
