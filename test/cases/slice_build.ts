import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, integers, tensorOf } from './op_case.js';
import { type Load, makeTermRows, type TermRows } from './term_rows.js';

interface Sizes {
  rows: number;
  terms?: number;
  slices?: number;
  load?: Load;
}

export interface Input {
  rows: TermRows;
  sliceOfTerm: Tensor<'int32'>;
  slices: number;
}

export const cases = defineCases<Sizes, Input>(
  [
    ...(['even', 'none', 'one huge row', 'skewed blocks', 'one each'] as const).map((load) => ({
      rows: 2048,
      terms: 4000,
      load,
    })),
    ...[0, 1, 2, 100].map((slices) => ({ rows: 1024, slices })),
    { name: 'no rows', rows: 0 },
    { name: 'no terms', rows: 512, terms: 0, load: 'none' },
    { name: 'several tasks', rows: 30 * 512 },
    { bench: true, rows: 400 * 512, slices: 64 },
  ],
  ({ rows, terms = 50, slices = 7, load }: Sizes, random: Random) => ({
    rows: makeTermRows(random, rows, terms, load),
    sliceOfTerm: tensorOf(integers(random, terms, -1, slices - 1), terms),
    slices,
  }),
  ({ rows, slices = 7 }) => ({ bytes: rows * (4 + 12) + (rows * slices) / 8, operations: 3 * rows }),
);

export const run = async ({ rows, sliceOfTerm, slices }: Input) => ({
  slices: await ops.sliceBuild(rows, sliceOfTerm, { slices }),
});
