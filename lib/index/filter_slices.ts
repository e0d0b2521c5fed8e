// Exact bit slices: which terms get one, and the slices themselves.
import { sliceBuild } from '../ops/slice_build.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import type { FieldColumn } from './attributes.js';
import { entriesByRow } from './filter_rows.js';
import type { Pace } from './pace.js';
import { inPieces } from './progress.js';

/** Beyond this many, only the most frequent terms get a slice. */
const MAX_SLICES = 4096;

/** Who has which slice. */
export interface SliceLayout {
  /** By field: the slice of the items that have a value, -1 when all have. */
  readonly exists: number[];
  /** By term, -1 for none. */
  readonly ofTerm: Int32Array;
  /** Items that hold a term. */
  readonly holders: Int32Array;
  readonly count: number;
}

/**
 * Numbers the slices, field by field: one for EXISTS where a value is missing, then the field's terms that are boolean or
 * held by at least `share` of the items.
 */
export async function layoutSlices(
  fields: readonly FieldColumn[],
  termOf: readonly Int32Array[],
  terms: number,
  share: number,
): Promise<SliceLayout> {
  const holders = await countHolders(fields, termOf, terms);
  const isBoolean = new Uint8Array(terms);
  for (const [f, field] of fields.entries()) {
    if (field.type === 'boolean') for (const term of termOf[f] as Int32Array) isBoolean[term] = 1;
  }
  const rank = (term: number) => (isBoolean[term] === 1 ? Number.POSITIVE_INFINITY : (holders[term] as number));
  const least = share * (fields[0]?.present.length ?? 0);
  let chosen: number[] = [];
  await inPieces(terms, (begin, end) => {
    for (let term = begin; term < end; term++) if (rank(term) >= least) chosen.push(term);
  });
  if (chosen.length > MAX_SLICES) {
    chosen = chosen.sort((a, b) => rank(b) - rank(a) || a - b).slice(0, MAX_SLICES);
  }
  const isChosen = new Uint8Array(terms);
  for (const term of chosen) isChosen[term] = 1;
  const ofTerm = new Int32Array(terms).fill(-1);
  let count = 0;
  let term = 0;
  const exists = fields.map((field, f) => {
    const slice = field.present.includes(0) ? count++ : -1;
    const end = term + (termOf[f] as Int32Array).length;
    for (; term < end; term++) if (isChosen[term] === 1) ofTerm[term] = count++;
    return slice;
  });
  return { exists, ofTerm, holders, count };
}

/** Items that hold each term. */
async function countHolders(
  fields: readonly FieldColumn[],
  termOf: readonly Int32Array[],
  terms: number,
): Promise<Int32Array> {
  const holders = new Int32Array(terms);
  for (const [f, field] of fields.entries()) {
    if (field.kind !== 'terms') continue;
    const own = termOf[f] as Int32Array;
    const counts = new Uint32Array(own.length);
    const { codes } = field;
    await inPieces(codes.length, (begin, end) => {
      for (let i = begin; i < end; i++) (counts[codes[i] as number] as number)++;
    });
    await inPieces(own.length, (begin, end) => {
      for (let code = begin; code < end; code++) holders[own[code] as number] = counts[code] as number;
    });
  }
  return holders;
}

/** int64 [slices, rows / 64]. */
export async function buildSlices(
  fields: readonly FieldColumn[],
  termOf: readonly Int32Array[],
  layout: SliceLayout,
  ordinals: Int32Array,
  pace: Pace,
): Promise<Tensor<'int64'>> {
  if (layout.count === 0) return Tensor.allocate('int64', [0, ordinals.length / 64]);
  const sources = fields.map((field, f) => ({
    field,
    entryOf: (termOf[f] as Int32Array).map((term) => layout.ofTerm[term] as number),
    present: layout.exists[f] as number,
  }));
  const rows = await entriesByRow(sources, ordinals, pace);
  const own = tensor(Int32Array.from({ length: layout.count }, (_, slice) => slice));
  const slices = await sliceBuild<Tensor>(rows, own, { slices: layout.count });
  return slices as Tensor<'int64'>;
}
