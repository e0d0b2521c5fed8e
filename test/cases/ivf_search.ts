import { ops } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { HASHES, PLANS } from './filter_index.js';
import { BOUNDARY_CLUSTERS, type IndexSizes, makeIndex, makeQueries } from './ivf_index.js';
import { makeRequests, type RequestSizes } from './ivf_probe.js';
import { bitsWhere, defineCases, normals, tensorOf } from './op_case.js';

interface Sizes extends IndexSizes, RequestSizes {
  heads: number;
  k: number;
  firstRound: number;
  allowedMisses: number | 'random';
  limits?: number | 'random';
  offsets?: boolean;
  /** Cluster statistics; default: as measured, with some error. */
  stats?: 'centroids' | 'some without spread' | 'without spread' | 'special';
  tail?: 'none' | 'all';
  /** Share of rows that are deleted; default: 5 %. */
  deleted?: number;
  /** Members like their centroid, all members the same, or scores that no order knows; default: around their centroid. */
  rows?: 'centroids' | 'equal' | 'special' | 'NaN';
}

export type Input = ReturnType<typeof make>;

const CENTROID = 80; // largest entry
const NOISE = 40; // largest difference of a member's entry
const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-45, 1, -1, 2.5, 3e9];
const MISSES = [-1, 0, 0.01, 1, 5, 1000, Number.POSITIVE_INFINITY];

const centred = (random: Random, most: number): number => random.integer(2 * most + 1) - most;

/** Clusters of members around their centroid, which lie as far apart as centroids lie from the origin. */
function makeClusters(sizes: Sizes, random: Random) {
  const { clusters, dim, metric, rows, deleted } = sizes;
  const index = makeIndex(sizes, random);
  const n = clusters.length;
  const centroids = new Int8Array(n * dim).map((_, at) => {
    return rows === 'equal' ? (at % dim) - 15 : centred(random, CENTROID);
  });
  const scales = new Float32Array(n).map(() => (rows === 'equal' ? 0.005 : (0.5 + random.uniform()) / 200));
  const begins = index.clusterBegin.view();
  const values = index.rows.view();
  const rowScales = index.rowScales.view();
  for (let c = 0; c < n; c++) {
    for (let row = begins[c] as number; row < (begins[c + 1] as number); row++) {
      for (let d = 0; d < dim; d++) {
        const noise = rows === 'centroids' || rows === 'equal' ? 0 : centred(random, NOISE);
        values[row * dim + d] = (centroids[c * dim + d] as number) + noise;
      }
      rowScales[row] = rows === 'special' ? random.pick(SPECIAL) : rows === 'NaN' ? Number.NaN : (scales[c] as number);
    }
  }
  const bias = rows === 'special' ? rowScales.map(() => random.pick(SPECIAL)) : biases(values, rowScales, dim);
  index.rowBias?.view().set(bias);
  const isItem = (row: number) => (index.ordinals.view()[row] as number) >= 0;
  if (deleted !== undefined) {
    const live = index.live.view();
    live.set(bitsWhere(live.length, (row) => isItem(row) && !random.chance(deleted)));
  }
  return {
    ...index,
    centroids: tensorOf(centroids, n, dim),
    centroidScales: tensorOf(scales, n),
    centroidBias: metric === 'l2' ? tensorOf(biases(centroids, scales, dim), n) : undefined,
  };
}

/** -|x|² / 2: scores are distances then. */
function biases(values: Int8Array, scales: Float32Array, dim: number): Float32Array {
  return scales.map((scale, i) => {
    return values.subarray(i * dim, (i + 1) * dim).reduce((sum, x) => sum + (x * scale) ** 2, 0) / -2;
  });
}

function makeStats({ clusters, dim, metric, stats }: Sizes, scales: Float32Array, random: Random) {
  const n = clusters.length;
  const wide = (NOISE * (NOISE + 1)) / 3;
  const rows = clusters.map((size, c) => {
    if (stats === 'special') return Array.from({ length: 5 }, () => random.pick(SPECIAL));
    const members = size + random.integer(5); // some may have left since
    if (stats === 'centroids') return [1, 0, 0, 0, members];
    const spread = stats === 'without spread' || (stats === 'some without spread' && c % 2 === 0) ? 0 : 1;
    const variance = spread * wide * (scales[c] as number) ** 2 * (0.5 + random.uniform());
    const shift = metric === 'l2' ? -variance * dim : random.normal() / 100;
    return [0.9 + random.uniform() / 5, shift, variance, (spread * random.uniform()) / 1000, members];
  });
  return tensorOf(
    new Float32Array(5 * n).map((_, at) => rows[at % n]?.[Math.floor(at / n)] as number),
    5,
    n,
  );
}

function makeTail(tail: Sizes['tail']) {
  const share = (z: number) => ({ none: 0, all: 1, falling: 1 / (1 + Math.exp(1.7 * z)) })[tail ?? 'falling'];
  return tensorOf(
    new Int32Array(256).map((_, entry) => Math.round(2 ** 20 * share((entry - 32) / 8))),
    256,
  );
}

function make(sizes: Sizes, random: Random) {
  const { batch, heads, dim, clusters, k, firstRound, allowedMisses, limits = k, metric } = sizes;
  const index = makeClusters(sizes, random);
  const { requests, index: filter } = makeRequests(sizes, clusters.length, index.live.shape[0] as number, random);
  const misses = () => (allowedMisses === 'random' ? random.pick(MISSES) : allowedMisses);
  const limit = () => (limits === 'random' ? random.integer(k + 5) - 1 : limits);
  return {
    queries: makeQueries(batch, heads, dim, random),
    index: {
      ...index,
      clusterStats: makeStats(sizes, index.centroidScales.view(), random),
      tail: makeTail(sizes.tail),
    },
    requests: {
      ...requests,
      limits: tensorOf(new Int32Array(batch).map(limit), batch),
      allowedMisses: tensorOf(new Float32Array(batch).map(misses), batch),
    },
    filter,
    offsets: sizes.offsets ? tensorOf(normals(random, batch * heads), batch, heads) : undefined,
    k,
    firstRound,
    metric,
  };
}

const small = {
  clusters: BOUNDARY_CLUSTERS,
  dim: 32,
  batch: 3,
  heads: 1,
  probes: 2,
  minCandidates: 0,
  k: 20,
  firstRound: 1,
  allowedMisses: 1,
};
const many = {
  ...small,
  clusters: Array.from({ length: 60 }, (_, c) => (c * 37) % 131),
  batch: 7,
  heads: 3,
  firstRound: 3,
};
const random = {
  probes: 'random',
  minCandidates: 'random',
  plan: 'random',
  exact: 'random',
  exclude: 'random',
  allowedMisses: 'random',
  limits: 'random',
} as const;

export const cases = defineCases<Sizes, Input>(
  [
    ...(['ip', 'cosine', 'l2'] as const).flatMap((metric) =>
      [1, 3].flatMap((heads) =>
        [1, 7].flatMap((batch) => [
          { ...small, metric, heads, batch },
          { ...many, metric, heads, batch, offsets: true },
        ]),
      ),
    ),
    ...[64, 96, 128, 3072].map((dim) => ({ ...small, dim, metric: 'l2' as const })),
    ...[-1, 0, 0.001, 0.1, 1, 1000, Number.POSITIVE_INFINITY].flatMap((allowedMisses) => [
      { ...many, allowedMisses },
      { ...many, allowedMisses, metric: 'l2' as const, plan: 'random' as const },
    ]),
    ...[1, 2, 3, 8, 1000].flatMap((firstRound) => [
      { ...small, firstRound, allowedMisses: 0.1 },
      { ...many, firstRound, allowedMisses: 0.1 },
    ]),
    ...[1, 2, 31, 63, 64, 65, 255, 256, 257, 300].map((count) => ({
      ...small,
      name: `${count} clusters`,
      clusters: Array.from({ length: count }, (_, c) => (c * 7) % 5),
    })),
    ...[1, 5, 19, 20, 21, 300, 'random' as const, 0, -1].map((limits) => ({ ...many, limits })),
    ...[1, 256, 257, 2000, 5000].map((k) => ({ ...many, k, batch: 2, allowedMisses: 0.1 })),
    ...[1, 100, 2000, 1_000_000].flatMap((minCandidates) => [
      { ...many, minCandidates, allowedMisses: 1000 },
      { ...many, minCandidates, plan: 4 },
    ]),
    ...PLANS.flatMap((_, plan) => [
      { ...small, name: 'plan', plan },
      { ...many, name: 'plan', plan, exact: 'random' as const, allowedMisses: 0.1 },
    ]),
    ...['random' as const, 0, 7, 1000].map((probes) => ({
      ...many,
      probes,
      plan: 4,
      allowedMisses: 'random' as const,
    })),
    ...[0, -1].map((limits) => ({ ...many, limits, minCandidates: 500, plan: 4 })),
    { ...many, exclude: 40 },
    { ...many, exclude: 'random', plan: 8 },
    { ...many, exclude: 'random', allowedMisses: 'random' },
    ...(['ip', 'l2'] as const).flatMap((metric) => [
      ...(['centroids', 'some without spread', 'without spread', 'special'] as const).map((stats) => {
        return { ...many, metric, stats, allowedMisses: 0.1 };
      }),
      ...(['centroids', 'equal', 'special'] as const).flatMap((rows) => [
        { ...many, metric, rows, allowedMisses: 0 },
        { ...many, metric, rows, allowedMisses: 0, stats: 'without spread' as const },
      ]),
      { ...many, metric, ...random, rows: 'special' as const, stats: 'special' as const },
      { ...many, metric, rows: 'NaN' as const },
    ]),
    ...(['none', 'all'] as const).map((tail) => ({ ...many, tail, plan: 4 })),
    ...[0, 0.5, 1].map((deleted) => ({ ...many, deleted, batch: 2 })),
    {
      ...small,
      name: 'more wanted than there are',
      deleted: 0,
      clusters: [512, 0, 0, 0, 0, 0, 0],
      k: 600,
      allowedMisses: 1000,
    },
    ...[1, 2, 3, 4].flatMap(() => [
      { ...small, ...random, batch: 33 },
      { ...many, ...random, offsets: true },
      { ...many, ...random, metric: 'l2' as const },
    ]),
    { ...small, name: 'no requests', batch: 0 },
    { ...small, name: 'no rows', clusters: [0, 0] },
    { ...many, ...random, name: 'more clusters than one task', clusters: new Array(2500).fill(3), batch: 2 },
    ...[1024, 4096].flatMap((clusters) => [large(clusters, 1), large(clusters, 64)]),
    { ...large(1024, 1), name: 'half of all rows', plan: 4 },
  ],
  make,
  // What the first round takes: how far a request goes on, only it knows.
  ({ clusters, dim, batch, heads, firstRound }) => {
    const rows = (firstRound * clusters.reduce((sum, size) => sum + size, 0)) / clusters.length;
    return {
      bytes: (clusters.length + rows) * (dim + 12),
      operations: 2 * batch * heads * (clusters.length + rows) * dim,
    };
  },
);

function large(clusters: number, batch: number) {
  const sizes = { clusters: new Array(clusters).fill(250), dim: 128, batch, k: 100, firstRound: 8, allowedMisses: 5 };
  return { ...small, ...sizes, bench: true };
}

export const run = ({ queries, index, requests, filter, ...options }: Input) =>
  ops.ivfSearch(queries, index, requests, filter, { ...options, hashes: HASHES });
