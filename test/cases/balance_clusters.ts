import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  clusters: number;
  choices: number;
  cap: number;
  /** Skewed: low ids are much more popular. Short: many lists end early. */
  kind?: 'skewed' | 'short' | 'equal' | 'one cluster';
}

export interface Input {
  nearest: Tensor<'int32'>;
  scores: Tensor<'float32'>;
  clusters: number;
  cap: number;
}

function make({ rows, clusters, choices, cap, kind }: Sizes, random: Random): Input {
  const nearest = new Int32Array(rows * choices).fill(-1);
  const scores = new Float32Array(rows * choices).fill(Number.NEGATIVE_INFINITY);
  for (let row = 0; row < rows; row++) {
    const ids = new Set<number>();
    const wanted = kind === 'short' ? random.integer(choices + 1) : kind === 'one cluster' ? 1 : choices;
    while (ids.size < Math.min(wanted, clusters)) {
      const share = random.uniform();
      ids.add(kind === 'one cluster' ? 0 : Math.floor((kind === 'skewed' ? share ** 4 : share) * clusters));
    }
    nearest.set([...ids], row * choices);
    const own = [...ids].map(() => (kind === 'equal' ? 1 : Math.round(random.normal() * 16) / 16));
    scores.set(
      own.sort((a, b) => b - a),
      row * choices,
    );
  }
  return { nearest: tensorOf(nearest, rows, choices), scores: tensorOf(scores, rows, choices), clusters, cap };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((rows) => [
      { rows, clusters: 8, choices: 4, cap: Math.ceil(rows / 8) },
      { rows, clusters: 8, choices: 4, cap: Math.ceil(rows / 4), kind: 'skewed' as const },
    ]),
    ...(['skewed', 'short', 'equal', 'one cluster'] as const).flatMap((kind) => [
      { rows: 1000, clusters: 40, choices: 8, cap: 25, kind },
      { rows: 1000, clusters: 40, choices: 8, cap: 50, kind },
      { rows: 1000, clusters: 40, choices: 1, cap: 26, kind },
      { rows: 1000, clusters: 40, choices: 3, cap: 1000, kind },
    ]),
    { name: 'one each', rows: 50, clusters: 50, choices: 16, cap: 1, kind: 'skewed' },
    { name: 'a huge cap', rows: 50, clusters: 50, choices: 2, cap: 2 ** 31 },
    { name: 'no rows', rows: 0, clusters: 5, choices: 2, cap: 1 },
    { name: 'no choices', rows: 7, clusters: 3, choices: 0, cap: 3 },
    { bench: true, rows: 200_000, clusters: 1000, choices: 8, cap: 400 },
    { bench: true, rows: 200_000, clusters: 1000, choices: 8, cap: 300, kind: 'skewed' },
  ],
  make,
  ({ rows, choices }) => ({ bytes: rows * (8 * choices + 4), operations: rows * choices }),
);

export const run = async ({ nearest, scores, clusters, cap }: Input) => ({
  clusters: await ops.balanceClusters(nearest, scores, { clusters, cap }),
});
