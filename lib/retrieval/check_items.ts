import { SilverlodeError } from '../errors.js';

export { requireKnown } from '../errors.js';

/**
 * Larger numbers are refused in items and in queries: squares and inner products stay within float32, also of vectors that were
 * rotated, which turns a vector of equal numbers into one number as large as all of them together.
 */
export const LARGEST_IN_ITEMS = 1e12;
export const LARGEST_IN_QUERIES = 1e16;
/** The largest number of float16: a table of it would hold Infinity in place of larger ones. */
const LARGEST_IN_HALF = 65_504;

/** The largest number of items whose rows are also held as `dtype`. */
export function largestInItems(dtype: string | undefined): number {
  return dtype === 'float16' ? LARGEST_IN_HALF : LARGEST_IN_ITEMS;
}

/** What is wrong with a number; undefined for one that is finite and at most `largest`. */
export function rangeFault(value: number, largest: number): string | undefined {
  if (Math.abs(value) <= largest) return undefined;
  return Number.isFinite(value) ? `${value}, larger than ${largest}` : String(value);
}

/** Refuses NaN, Infinity and magnitudes above `largest`, naming the item; `first` is the item that `data` begins with. */
export function requireInRange(
  where: string,
  data: Float32Array,
  { dims, first = 0, largest }: { dims: number; first?: number; largest: number },
): void {
  for (let i = 0; i < data.length; i++) {
    const fault = rangeFault(data[i] as number, largest);
    if (fault === undefined) continue;
    const item = first + Math.floor(i / dims);
    const message = `${where}: item ${item} has ${fault} in dimension ${i % dims}`;
    throw new SilverlodeError('INVALID_ARGUMENT', message, { item, dimension: i % dims });
  }
}
