import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { defineCases, integers, normals, tensorOf } from './op_case.js';

interface Sizes {
  rows: number;
  n: number;
  k: number;
  scores?: 'equal' | 'few' | 'special' | 'NaN' | 'ascending' | 'descending' | 'one binade' | 'peaks';
  /** Ids of entries: all different, with -1 among them, or few different ones. */
  payload?: 'distinct' | 'missing' | 'few';
}

export interface Input {
  scores: Tensor<'float32'>;
  payload?: Tensor<'int32'>;
  k: number;
}

const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-45, -1e-45, 3.4e38];

function makeScores({ rows, n, scores }: Sizes, random: Random): Float32Array {
  const values = normals(random, rows * n);
  return values.map((value, i) => {
    if (scores === 'equal') return 2.5;
    if (scores === 'few') return random.integer(3);
    if (scores === 'special') return random.pick(SPECIAL);
    if (scores === 'NaN') return Number.NaN;
    if (scores === 'ascending') return i;
    if (scores === 'descending') return -i;
    if (scores === 'peaks') return i % 34 === 0 && i < 680 ? 10 + value : value; // where a sample of the row may lie
    if (scores === 'one binade') return 1 + random.uniform() / 4096;
    return value;
  });
}

function makePayload({ rows, n, payload }: Sizes, random: Random): Int32Array | undefined {
  if (payload === 'few') return integers(random, rows * n, 0, 5);
  if (payload === 'missing') return integers(random, rows * n, -1, 1).map((id, i) => (id < 0 ? -1 : 7 * i));
  if (payload === 'distinct') return Int32Array.from({ length: rows * n }, (_, i) => (i * 7919 + 13) % 2_147_483_629);
  return undefined;
}

function make(sizes: Sizes, random: Random): Input {
  const { rows, n, k } = sizes;
  const payload = makePayload(sizes, random);
  return {
    scores: tensorOf(makeScores(sizes, random), rows, n),
    payload: payload && tensorOf(payload, rows, n),
    k,
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257].flatMap((n) => [
      { rows: 7, n, k: 10 },
      { rows: 1, n, k: n },
      { rows: 3, n, k: n + 1, payload: 'distinct' as const },
    ]),
    { name: 'nothing to choose from', rows: 2, n: 0, k: 3 },
    { name: 'no rows', rows: 0, n: 5, k: 3 },
    ...(['equal', 'few', 'special', 'NaN', 'ascending', 'descending', 'one binade'] as const).flatMap((scores) => [
      { rows: 2, n: 1000, k: 100, scores },
      { rows: 3, n: 300, k: 77, scores, payload: 'few' as const },
      { rows: 3, n: 300, k: 300, scores, payload: 'missing' as const },
    ]),
    { name: 'every kept key again and again', rows: 2, n: 900, k: 500, scores: 'equal', payload: 'few' },
    { name: 'segments of one row', rows: 1, n: 70_001, k: 100 },
    { name: 'segments of one row', rows: 1, n: 70_001, k: 5, scores: 'few', payload: 'few' },
    { name: 'segments of two rows', rows: 2, n: 70_001, k: 4097, payload: 'missing' },
    { name: 'segments of one row', rows: 1, n: 70_001, k: 100, scores: 'ascending' },
    { name: 'a sample that is better than the row', rows: 1, n: 70_001, k: 100, scores: 'peaks' },
    { name: 'a sample with missing entries', rows: 2, n: 70_001, k: 30_000, payload: 'missing' },
    { name: 'more than a histogram', rows: 1, n: 20_000, k: 5000, scores: 'one binade' },
    { bench: true, rows: 1, n: 1_000_000, k: 100 },
    { bench: true, rows: 1, n: 1_000_000, k: 10_000 },
    { bench: true, rows: 64, n: 10_000, k: 100, payload: 'distinct' },
    { bench: true, rows: 256, n: 1000, k: 10 },
  ],
  make,
  ({ rows, n, k, payload }) => ({
    bytes: rows * (n * (payload === undefined ? 4 : 8) + 12 * k),
    operations: rows * n,
  }),
);

export const run = ({ scores, payload, k }: Input) => ops.topK(scores, { k, payload });
