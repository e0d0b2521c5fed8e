import type { Input } from '../cases/slice_build.js';
import { setBit, termsOf } from './bloom.js';

/** Bit r of a slice: row r holds one of its terms. */
export function sliceBuild({ rows, sliceOfTerm, slices: count }: Input) {
  const [offsets, terms] = [rows.offsets.view(), rows.terms.view()];
  const words = (offsets.length - 1) / 64;
  const slices = new BigInt64Array(count * words);
  for (let row = 0; row < offsets.length - 1; row++) {
    for (const term of termsOf(offsets, terms, row)) {
      const slice = sliceOfTerm.view()[term] as number;
      if (slice >= 0) setBit(slices, slice * words + Math.floor(row / 64), row % 64);
    }
  }
  return { slices };
}
