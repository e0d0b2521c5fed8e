import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases } from './op_case.js';
import { type Load, makeTermRows } from './term_rows.js';

interface Sizes {
  rows: number;
  load?: Load;
  mean?: number;
  bitsPerTerm?: number;
}

export interface Input {
  offsets: Tensor<'int32'>;
  bitsPerTerm?: number;
}

export const cases = defineCases<Sizes, Input>(
  [
    ...(['even', 'none', 'one huge row', 'skewed blocks', 'one each'] as const).map((load) => ({ rows: 2048, load })),
    ...[1, 1.3, 7.25, 256].map((bitsPerTerm) => ({ rows: 1024, bitsPerTerm })),
    { name: 'the widest', rows: 512, mean: 2000, bitsPerTerm: 256 },
    { rows: 0 },
    { rows: 512 },
    { rows: 100 * 512, mean: 1 },
    { bench: true, rows: 2000 * 512, mean: 2 },
  ],
  ({ rows, load, mean, bitsPerTerm }: Sizes, random: Random) => ({
    offsets: makeTermRows(random, rows, 5000, load, mean).offsets,
    bitsPerTerm,
  }),
  ({ rows }) => ({ bytes: 4 * rows, operations: rows }),
);

export const run = async ({ offsets, bitsPerTerm }: Input) => ({
  layout: await ops.bloomLayout(offsets, { bitsPerTerm }),
});
