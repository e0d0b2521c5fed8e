// Small clustered indexes for the ops that search them.
import type { ops, Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { bitsWhere, int8s, integers, tensorOf } from './op_case.js';

export type Metric = NonNullable<Parameters<typeof ops.ivfScan>[3]['metric']>;

/** Sizes around every boundary of a 64-row word. */
export const BOUNDARY_CLUSTERS = [0, 1, 63, 64, 65, 130, 0, 5] as const;

export interface IndexSizes {
  /** Rows of each cluster. */
  clusters: readonly number[];
  /** Stored dimension, a multiple of 32. */
  dim: number;
  metric?: Metric;
}

/** Index rows sorted by cluster, each cluster padded to full words; 5 % of the rows are deleted. */
export function makeIndex({ clusters, dim, metric }: IndexSizes, random: Random) {
  const begins = [0];
  for (const size of clusters) begins.push((begins.at(-1) as number) + Math.ceil(size / 64) * 64);
  const n = Math.ceil((begins.at(-1) as number) / 512) * 512;
  const items = clusters.flatMap((size, c) => Array.from({ length: size }, (_, i) => (begins[c] as number) + i));
  const ordinals = new Int32Array(n).fill(-1);
  random.shuffle([...items]).forEach((row, ordinal) => {
    ordinals[row] = ordinal;
  });
  const bias = metric === 'l2' ? new Float32Array(n).map(() => -random.uniform()) : undefined;
  return {
    rows: tensorOf(int8s(random, n * dim), n, dim),
    rowScales: tensorOf(
      new Float32Array(n).map(() => random.uniform() / 100),
      n,
    ),
    rowBias: bias && tensorOf(bias, n),
    ordinals: tensorOf(ordinals, n),
    clusterBegin: tensorOf(Int32Array.from(begins), begins.length),
    live: tensorOf(
      bitsWhere(n / 64, (row) => (ordinals[row] as number) >= 0 && random.chance(0.95)),
      n / 64,
    ),
  };
}

/** Quantised queries; their scales are positive, as those of `quantizeInt8` are. */
export function makeQueries(batch: number, heads: number, dim: number, random: Random) {
  return {
    quantized: tensorOf(int8s(random, batch * heads * dim), batch, heads, dim),
    scales: tensorOf(
      new Float32Array(batch * heads).map(() => random.uniform() / 100),
      batch,
      heads,
    ),
  };
}

/** Lists of distinct clusters, the first `count` valid and nonsense behind them, which nothing may read. */
export function makeLists(queries: number, clusters: number, count: number, random: Random): Int32Array {
  const lists = integers(random, queries * clusters, -1_000_000_000, 1_000_000_000);
  for (let query = 0; query < queries; query++) {
    const ids = random.shuffle(Array.from({ length: clusters }, (_, cluster) => cluster));
    lists.set(ids.slice(0, count), query * clusters);
  }
  return lists;
}

export type Int32 = Tensor<'int32'>;
export type Int64 = Tensor<'int64'>;
