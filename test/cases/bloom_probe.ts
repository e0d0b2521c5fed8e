import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { bloomBuild } from '../reference/bloom_build.js';
import { bloomInput } from './bloom_build.js';
import { defineCases } from './op_case.js';
import type { Load, TermRows } from './term_rows.js';

interface Sizes {
  rows: number;
  terms?: number;
  load?: Load;
  hashes?: number;
  /** How many terms are looked up. */
  probes?: number;
}

export interface Input {
  bloom: Tensor<'int64'>;
  layout: Tensor<'int64'>;
  /** int64 [probes]: of the first terms. */
  termHashes: Tensor<'int64'>;
  hashes: number;
  /** What the rows really hold. */
  rows: TermRows;
}

export function probeInput({ probes = 20, ...sizes }: Sizes, random: Random): Input {
  const built = bloomInput(sizes, random);
  const { bloom } = bloomBuild(built);
  return {
    ...built,
    bloom: tensor(bloom, { shape: [built.positions, 8] }),
    termHashes: tensor(built.termHashes.view().slice(0, probes)),
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
    { rows: 1024, probes: 0 },
    { rows: 0 },
    { name: 'several tasks per term', rows: 300 * 512, load: 'one each', probes: 2 },
    { bench: true, rows: 400 * 512, terms: 100_000, probes: 8 },
  ],
  probeInput,
  ({ rows, hashes = 4, probes = 20 }) => ({
    bytes: (probes * rows * (hashes + 1)) / 8,
    operations: probes * rows * hashes,
  }),
);

export const run = async ({ bloom, layout, termHashes, hashes }: Input) => ({
  hits: await ops.bloomProbe(bloom, layout, termHashes, { hashes }),
});
