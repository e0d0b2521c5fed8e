/** Counts of values by size, as plain data: `counts[i]` values are at most `bounds[i]`, the last count is of all larger ones. */
export interface HistogramData {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** Upper bounds of times in milliseconds, 50 µs to 10 s. */
export const MILLISECOND_BOUNDS: readonly number[] = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000,
];

/** Upper bounds of batch sizes. */
export const BATCH_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** A histogram of fixed memory. */
export class Histogram {
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds Ascending. */
  constructor(private readonly bounds: readonly number[]) {
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound);
    const bucket = found < 0 ? this.bounds.length : found;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
    this.#count += 1;
  }

  data(): HistogramData {
    return { bounds: this.bounds, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

/**
 * An upper estimate of a quantile: the bound of the bucket it falls in; Infinity beyond the last bound, NaN without values.
 *
 * @param q 0 to 1.
 */
export function quantile({ bounds, counts, count }: HistogramData, q: number): number {
  if (count === 0) return Number.NaN;
  let rest = Math.max(1, Math.ceil(q * count));
  const bucket = counts.findIndex((size) => {
    rest -= size;
    return rest <= 0;
  });
  return bounds[bucket] ?? Number.POSITIVE_INFINITY;
}
