// Fair sharing by measured cost: start-time fair queueing (Goyal, Vin, Cheng, "Start-time Fair Queueing", 1997, section 2).

/** How quickly the estimate of a cost follows what is measured. */
const SMOOTHING = 0.2;

/** One party among several that share something. */
export class Share {
  /** Weighted cost received so far, on the clock's scale. */
  virtual = 0;
  /** What one turn is expected to cost. */
  #estimate = 0;

  /** @param weight Twice the weight: twice the cost per time. */
  constructor(readonly weight = 1) {}

  /** A turn begins. Its cost is not known yet, so an estimate counts until then. */
  begin(): number {
    this.virtual += this.#estimate / this.weight;
    return this.#estimate;
  }

  /** @param charged What `begin` returned. */
  end(charged: number, cost: number): void {
    this.virtual += (cost - charged) / this.weight;
    this.#estimate += SMOOTHING * (cost - this.#estimate);
  }
}

/** Chooses whose turn it is. */
export class FairClock {
  #now = 0;

  /** A party that waited for nothing has saved nothing up. */
  wake(share: Share): void {
    share.virtual = Math.max(share.virtual, this.#now);
  }

  /** The party that has received least; the first of several. */
  next<T>(waiting: Iterable<T>, shareOf: (each: T) => Share): T | undefined {
    let chosen: T | undefined;
    for (const each of waiting) {
      if (chosen === undefined || shareOf(each).virtual < shareOf(chosen).virtual) chosen = each;
    }
    if (chosen !== undefined) this.#now = Math.max(this.#now, shareOf(chosen).virtual);
    return chosen;
  }
}
