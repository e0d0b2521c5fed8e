// Rows of matrices: some of them, and of length 1.
import type { Random } from '../../lib/data/random.js';
import type { Vectors } from '../../lib/io/vectors.js';

/** Copies rows in the order given. */
export function rowsAt({ data, shape: [, dims] }: Vectors, rows: readonly number[]): Vectors {
  const some = new Float32Array(rows.length * dims);
  for (const [place, row] of rows.entries()) some.set(data.subarray(row * dims, (row + 1) * dims), place * dims);
  return { data: some, shape: [rows.length, dims] };
}

/** Rows drawn at random; one may come twice. */
export function drawnRows(all: Vectors, count: number, random: Random): Vectors {
  return rowsAt(
    all,
    Array.from({ length: count }, () => random.integer(all.shape[0])),
  );
}

/** Scales to length 1; a zero row stays as it is. */
export function toUnit(row: Float32Array): void {
  const length = Math.hypot(...row) || 1;
  for (let dim = 0; dim < row.length; dim++) row[dim] = (row[dim] as number) / length;
}
