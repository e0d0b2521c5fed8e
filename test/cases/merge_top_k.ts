import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, integers, normals, tensorOf } from './op_case.js';

interface Sizes {
  batch: number;
  lists: number;
  n: number;
  k: number;
  /** Ids are drawn from so many; default: lists * n, so that some repeat. */
  distinct?: number;
  scores?: 'equal' | 'few' | 'special';
  counts?: 'random' | 'zero' | 'negative';
}

export interface Input {
  scores: Tensor<'float32'>;
  ids: Tensor<'int32'>;
  counts?: Tensor<'int32'>;
  k: number;
}

const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0];

function make({ batch, lists, n, k, distinct = lists * n, scores, counts }: Sizes, random: Random): Input {
  const values = normals(random, batch * lists * n).map((value) => {
    if (scores === 'equal') return 1;
    if (scores === 'few') return random.integer(3);
    return scores === 'special' ? random.pick(SPECIAL) : value;
  });
  const limits = integers(random, batch, counts === 'negative' ? -3 : 0, counts === 'random' ? k + 2 : 0);
  return {
    scores: tensorOf(values, batch, lists, n),
    ids: tensorOf(integers(random, batch * lists * n, -1, distinct - 1), batch, lists, n),
    counts: counts && tensorOf(limits, batch),
    k,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((n) => [
      { batch: 7, lists: 3, n, k: 20 },
      { batch: 1, lists: 1, n, k: n },
      { batch: 2, lists: 2, n, k: 2 * n + 1, distinct: n },
    ]),
    { name: 'every entry is missing', batch: 1, lists: 3, n: 40, k: 9, distinct: 0 },
    { name: 'one item', batch: 7, lists: 3, n: 40, k: 9, distinct: 1 },
    ...(['equal', 'few', 'special'] as const).flatMap((scores) => [
      { batch: 7, lists: 3, n: 100, k: 50, distinct: 200, scores },
      { batch: 1, lists: 3, n: 100, k: 300, distinct: 20, scores },
    ]),
    ...(['random', 'zero', 'negative'] as const).map((counts) => ({ batch: 7, lists: 3, n: 64, k: 33, counts })),
    { batch: 2, lists: 0, n: 5, k: 4 },
    { batch: 2, lists: 3, n: 0, k: 4 },
    { batch: 0, lists: 3, n: 5, k: 4 },
    { bench: true, batch: 64, lists: 3, n: 1000, k: 1000, distinct: 2000 },
    { bench: true, batch: 1, lists: 2, n: 100_000, k: 1000, distinct: 150_000 },
  ],
  make,
  ({ batch, lists, n, k }) => ({ bytes: batch * (8 * lists * n + 12 * k), operations: batch * lists * n }),
);

export const run = ({ scores, ids, counts, k }: Input) => ops.mergeTopK(scores, ids, { k, counts });
