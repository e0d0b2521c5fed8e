import { ops } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import {
  BOUNDARY_CLUSTERS,
  type IndexSizes,
  type Int32,
  type Int64,
  type Metric,
  makeIndex,
  makeLists,
  makeQueries,
} from './ivf_index.js';
import { bitsWhere, defineCases, integers, tensorOf } from './op_case.js';

interface Sizes extends IndexSizes {
  batch: number;
  heads: number;
  probes: number;
  k: number;
  /** Share of rows that the masks let pass; default: `live` is the mask. */
  selectivity?: number;
  rows?: 'equal' | 'zero' | 'extreme';
  /** Row scales and biases that make NaN and infinities. */
  special?: boolean;
  repeated?: boolean;
  limits?: 'random' | 'zero';
}

export interface Input {
  queries: ReturnType<typeof makeQueries>;
  index: ReturnType<typeof makeIndex>;
  probed: { clusters: Int32; counts: Int32; mask: Int64; maskOf: Int32 };
  limits: Int32;
  k: number;
  metric?: Metric;
}

const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-45, 1];

function replace(array: Float32Array | Int8Array | Int32Array, make: (i: number) => number): void {
  for (let i = 0; i < array.length; i++) array[i] = make(i);
}

function make(sizes: Sizes, random: Random): Input {
  const { dim, batch, heads, probes, k, metric, selectivity, rows, special, repeated, limits } = sizes;
  const index = makeIndex(sizes, random);
  const queries = makeQueries(batch, heads, dim, random);
  if (rows === 'equal') replace(index.rows.view(), (i) => (i % dim) - 15);
  if (rows === 'equal') index.rowScales.view().fill(0.5);
  if (rows === 'zero') index.rows.view().fill(0);
  if (rows === 'extreme') for (const values of [index.rows, queries.quantized]) values.view().fill(-127);
  if (special) replace(index.rowScales.view(), () => random.pick(SPECIAL));
  if (special && index.rowBias) replace(index.rowBias.view(), () => random.pick(SPECIAL));

  const n = sizes.clusters.length;
  const words = index.live.shape[0] as number;
  const ordinals = index.ordinals.view();
  const passing = bitsWhere(batch * words, (bit) => {
    return (ordinals[bit % (64 * words)] as number) >= 0 && random.chance(selectivity ?? 0.5);
  });
  const maskOf = integers(random, batch, batch > 1 ? -1 : 0, batch - 1);
  const lists = makeLists(batch * heads, n, probes, random);
  if (repeated) replace(lists, (i) => lists[i - (i % n)] as number);
  const limitOf = { random: () => random.integer(k + 3) - 1, zero: () => 0, none: () => k }[limits ?? 'none'];
  return {
    queries,
    index,
    probed: {
      clusters: tensorOf(lists, batch, heads, n),
      counts: tensorOf(new Int32Array(batch * heads).fill(probes), batch, heads),
      mask: tensorOf(passing, batch, words),
      maskOf: tensorOf(selectivity === undefined ? maskOf.fill(-1) : maskOf, batch),
    },
    limits: tensorOf(new Int32Array(batch).map(limitOf), batch),
    k,
    metric,
  };
}

const small = { clusters: BOUNDARY_CLUSTERS, dim: 32, batch: 1, heads: 1, probes: 8, k: 20 };
const equalClusters = (count: number, size: number) => new Array<number>(count).fill(size);

export const cases = defineCases<Sizes, Input>(
  [
    ...(['ip', 'cosine', 'l2'] as const).flatMap((metric) =>
      [1, 3].flatMap((heads) =>
        [1, 7].map((batch) => ({ ...small, metric, heads, batch, probes: 5, selectivity: 0.5 })),
      ),
    ),
    ...[32, 64, 96, 128, 160, 3072].map((dim) => ({ ...small, dim, batch: 7, metric: 'l2' as const })),
    ...[0, 0.001, 0.1, 0.5, 0.7, 0.97, 1].flatMap((selectivity) => [
      { ...small, selectivity },
      { ...small, selectivity, batch: 7, heads: 3, clusters: equalClusters(5, 700), probes: 4 },
    ]),
    ...[1, 31, 32, 33, 63, 64, 65, 255, 256, 257, 328, 5000].map((k) => ({ ...small, k, batch: 2 })),
    ...[0, 1, 2, 7].map((probes) => ({ ...small, probes, batch: 7, heads: 3 })),
    ...(['equal', 'zero', 'extreme'] as const).flatMap((rows) => [
      { ...small, rows },
      { ...small, rows, dim: 3072, metric: 'l2' as const, k: 400 },
    ]),
    { ...small, special: true, metric: 'l2', k: 400, batch: 3 },
    { ...small, special: true, k: 400, batch: 3 },
    { ...small, repeated: true, batch: 3, heads: 3 },
    ...(['random', 'zero'] as const).map((limits) => ({ ...small, limits, batch: 7, heads: 3 })),
    { ...small, name: 'more queries than one group', batch: 35, heads: 3, selectivity: 0.5, probes: 6 },
    { ...small, name: 'several tiles of one cluster', clusters: [3000], probes: 1, batch: 2, dim: 64, k: 100 },
    { ...small, name: 'no rows', clusters: [0, 0], probes: 2 },
    { ...small, name: 'no requests', batch: 0 },
    { bench: true, clusters: [500_000], dim: 64, batch: 1, heads: 1, probes: 1, k: 100 },
    { bench: true, clusters: equalClusters(500, 1000), dim: 64, batch: 1, heads: 1, probes: 32, k: 100 },
    {
      bench: true,
      clusters: equalClusters(500, 1000),
      dim: 64,
      batch: 1,
      heads: 1,
      probes: 500,
      k: 100,
      selectivity: 0.01,
    },
    { bench: true, clusters: equalClusters(500, 1000), dim: 128, batch: 64, heads: 1, probes: 32, k: 1000 },
    { bench: true, clusters: [100_000], dim: 64, batch: 64, heads: 3, probes: 1, k: 100 },
  ],
  make,
  ({ clusters, dim, batch, heads, probes, selectivity = 1 }) => {
    const rows = clusters.reduce((sum, size) => sum + size, 0) * selectivity;
    const listed = (rows * probes) / clusters.length;
    return { bytes: Math.min(rows, batch * heads * listed) * (dim + 8), operations: 2 * batch * heads * listed * dim };
  },
);

export const run = ({ queries, index, probed, limits, k, metric }: Input) =>
  ops.ivfScan(queries, index, probed, { k, limits, metric });
