// Seeded random numbers, the same on every machine and Node version: for synthetic data, tests and benchmarks.

/**
 * The generator sfc32 (Chris Doty-Humphrey's "small fast counting"): 128 bits of state, passes PractRand, period of at
 * least 2^32. Not for secrets.
 *
 * @example
 * ```ts
 * const random = new Random(7);
 * random.uniform();      // in [0, 1)
 * random.integer(10);    // 0 … 9
 * random.normal();       // mean 0, variance 1
 * ```
 */
export class Random {
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;
  #spareNormal: number | undefined;

  /** @param seed Any safe integer; equal seeds give equal sequences. */
  constructor(readonly seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    for (let step = 0; step < 15; step++) this.uint32();
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** A number in [0, 1), with 32 bits of it random. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer from 0 to `limit - 1`, for limits far below 2^32. */
  integer(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(list.length)] as T;
  }

  /**
   * A normal deviate, by Marsaglia's polar method: unlike Box and Muller's it needs no sine, which differs between
   * versions of V8.
   */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spareNormal = y * factor;
      return x * factor;
    }
  }

  /** Puts the list into random order, in place. */
  shuffle<T>(list: T[]): T[] {
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      [list[last], list[other]] = [list[other] as T, list[last] as T];
    }
    return list;
  }
}

/**
 * Draws ranks 0 … size - 1 with probability proportional to 1 / (rank + 1), as words, tags and creators are used.
 *
 * @param random Where the randomness comes from.
 * @param size How many ranks there are, at least one.
 * @returns A function that draws one rank.
 */
export function zipf(random: Random, size: number): () => number {
  const cumulative = new Float64Array(size);
  let total = 0;
  for (let rank = 0; rank < size; rank++) {
    total += 1 / (rank + 1);
    cumulative[rank] = total;
  }
  return () => {
    const target = random.uniform() * total;
    let low = 0;
    let high = size - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] as number) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
