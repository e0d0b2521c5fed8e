// How busy serving is, as one number.

/** Seconds after which a value counts for a third of what it did. */
const MEMORY_SECONDS = 10;

/** Mean over time of a value that holds until the next one is set; older times count less and less (exponential decay). */
export class RecentMean {
  #mean = 0;
  #value = 0;
  #since: number;

  /** @param now Milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.#since = now();
  }

  set(value: number): void {
    this.#mean = this.get();
    this.#since = this.now();
    this.#value = value;
  }

  get(): number {
    const kept = Math.exp((this.#since - this.now()) / (1000 * MEMORY_SECONDS));
    return kept * this.#mean + (1 - kept) * this.#value;
  }
}

/** What the runs of some models take of the time there is. */
export class Load {
  readonly #busy: RecentMean;
  readonly #waits: RecentMean;

  constructor(now?: () => number) {
    this.#busy = new RecentMean(now);
    this.#waits = new RecentMean(now);
  }

  /** Whether any run is in flight from now on. */
  busy(is: boolean): void {
    this.#busy.set(is ? 1 : 0);
    if (!is) this.#waits.set(0);
  }

  /** A request waited for its run. @param share Of what its deadline allowed. */
  waited(share: number): void {
    this.#waits.set(Math.min(1, share));
  }

  /**
   * 0 when idle, 1 when there is no room left: the share of recent time in which a run was in flight or, where that is more,
   * the share of their deadlines that requests spent waiting.
   */
  get utilization(): number {
    return Math.max(this.#busy.get(), this.#waits.get());
  }
}
