// From attributes by item to entries by index row.
import { SilverlodeError } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';
import type { FieldColumn } from './attributes.js';
import type { Pace } from './pace.js';

/** What one field puts into the rows. */
export interface RowSource {
  readonly field: FieldColumn;
  /** The entry of each code, -1 for none. */
  readonly entryOf: Int32Array;
  /** The entry of every item that has a value, -1 for none. */
  readonly present: number;
}

/** Entries of rows as CSR. */
export interface RowEntries {
  /** int32 [rows + 1]. */
  readonly offsets: Tensor<'int32'>;
  /** int32: field by field, ascending within a field. */
  readonly terms: Tensor<'int32'>;
}

/** What int32 offsets can reach. */
const MAX_ENTRIES = 2 ** 31 - 1;

/** @throws {@link SilverlodeError} `LIMIT_EXCEEDED` for more entries than the offsets of rows can tell. */
export function requireEntries(entries: number): void {
  if (entries <= MAX_ENTRIES) return;
  const message = `the rows hold ${entries} values to filter by, the limit is ${MAX_ENTRIES}`;
  throw new SilverlodeError('LIMIT_EXCEEDED', message, { entries, limit: MAX_ENTRIES });
}

/**
 * Collects the entries of every row; `ordinals` names the item of a row, -1 for padding.
 *
 * @throws {@link SilverlodeError} `LIMIT_EXCEEDED` for 2^31 entries or more.
 */
export async function entriesByRow(all: readonly RowSource[], ordinals: Int32Array, pace: Pace): Promise<RowEntries> {
  const sources = all.filter(({ entryOf, present }) => present >= 0 || entryOf.some((entry) => entry >= 0));
  const rows = ordinals.length;
  const ends = new Float64Array(rows + 1);
  for (const source of sources) await pace.over(rows, (begin, end) => count(source, ordinals, ends, begin, end));
  const offsets = Tensor.allocate('int32', [rows + 1]);
  const view = offsets.view();
  await pace.over(rows, (begin, end) => {
    for (let row = begin; row < end; row++) {
      (ends[row + 1] as number) += ends[row] as number;
      view[row + 1] = ends[row + 1] as number;
    }
  });
  requireEntries(ends[rows] as number);
  const terms = Tensor.allocate('int32', [ends[rows] as number]);
  const entries = terms.view();
  // Each source appends to what the ones before it have put into a row.
  const next = ends;
  for (const source of sources) {
    await pace.over(rows, (begin, end) => append(source, ordinals, entries, next, begin, end));
  }
  return { offsets, terms };
}

/** Adds the number of entries of each row to `sizes[row + 1]`. */
function count(
  { field, entryOf, present }: RowSource,
  ordinals: Int32Array,
  sizes: Float64Array,
  begin: number,
  end: number,
): void {
  for (let row = begin; row < end; row++) {
    const item = ordinals[row] as number;
    if (item < 0) continue;
    let size = present >= 0 && field.present[item] === 1 ? 1 : 0;
    if (field.kind === 'terms') {
      const last = field.offsets[item + 1] as number;
      for (let i = field.offsets[item] as number; i < last; i++) {
        if ((entryOf[field.codes[i] as number] as number) >= 0) size++;
      }
    }
    (sizes[row + 1] as number) += size;
  }
}

/** Writes the entries of each row at `next[row]`, and moves that on. */
function append(
  { field, entryOf, present }: RowSource,
  ordinals: Int32Array,
  entries: Int32Array,
  next: Float64Array,
  begin: number,
  end: number,
): void {
  for (let row = begin; row < end; row++) {
    const item = ordinals[row] as number;
    if (item < 0) continue;
    const first = next[row] as number;
    let at = first;
    if (present >= 0 && field.present[item] === 1) entries[at++] = present;
    if (field.kind === 'terms') {
      const last = field.offsets[item + 1] as number;
      for (let i = field.offsets[item] as number; i < last; i++) {
        const entry = entryOf[field.codes[i] as number] as number;
        if (entry >= 0) entries[at++] = entry;
      }
      sortRange(entries, first, at);
    }
    next[row] = at;
  }
}

/** Sorts a range that is nearly always short. */
function sortRange(entries: Int32Array, begin: number, end: number): void {
  if (end - begin > 32) {
    entries.subarray(begin, end).sort();
    return;
  }
  for (let i = begin + 1; i < end; i++) {
    const entry = entries[i] as number;
    let at = i;
    for (; at > begin && (entries[at - 1] as number) > entry; at--) entries[at] = entries[at - 1] as number;
    entries[at] = entry;
  }
}
