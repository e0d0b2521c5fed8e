import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { bloomLayout } from '../reference/bloom_layout.js';
import { defineCases } from './op_case.js';
import { type Load, makeHashes, makeTermRows, type TermRows } from './term_rows.js';

interface Sizes {
  rows: number;
  terms?: number;
  load?: Load;
  hashes?: number;
  bitsPerTerm?: number;
}

export interface Input {
  rows: TermRows;
  termHashes: Tensor<'int64'>;
  layout: Tensor<'int64'>;
  hashes: number;
  positions: number;
}

export function bloomInput({ rows: n, terms = 500, load, hashes = 4, bitsPerTerm }: Sizes, random: Random): Input {
  const rows = makeTermRows(random, n, terms, load);
  const { layout } = bloomLayout({ offsets: rows.offsets, bitsPerTerm });
  return {
    rows,
    termHashes: tensor(makeHashes(random, terms)),
    layout: tensor(layout),
    hashes,
    positions: Number(layout.at(-1)),
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...(['even', 'none', 'one huge row', 'skewed blocks', 'one each'] as const).map((load) => ({
      rows: 2048,
      terms: 4000,
      load,
    })),
    ...[1, 2, 3, 7, 16].map((hashes) => ({ rows: 1024, hashes })),
    { name: 'every position is taken', rows: 512, terms: 3, hashes: 16, bitsPerTerm: 1 },
    { name: 'no rows', rows: 0 },
    { name: 'no terms', rows: 512, terms: 0, load: 'none' },
    { rows: 20 * 512 },
    { bench: true, rows: 400 * 512, terms: 100_000 },
  ],
  bloomInput,
  ({ rows, hashes = 4 }) => ({ bytes: rows * (4 + 3 * 4 + 6), operations: 3 * rows * hashes }),
);

export const run = async ({ rows, termHashes, layout, hashes, positions }: Input) => ({
  bloom: await ops.bloomBuild(rows, termHashes, layout, { hashes, positions }),
});
