import { ops } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { emptyFilterIndex, HASHES, makeFilterIndex, makePlans, PLANS } from './filter_index.js';
import { BOUNDARY_CLUSTERS, type IndexSizes, type Metric, makeIndex, makeQueries } from './ivf_index.js';
import { defineCases, int8s, integers, tensorOf } from './op_case.js';

/** What the requests of a batch ask of probing. */
export interface RequestSizes {
  batch: number;
  probes: number | 'random';
  minCandidates: number | 'random';
  /** One plan for all requests, or any; default: none. */
  plan?: number | 'random';
  exact?: 0 | 'random';
  /** Rows excluded per request. */
  exclude?: number | 'random';
}

interface Sizes extends IndexSizes, RequestSizes {
  heads: number;
  centroids?: 'equal' | 'special';
}

export interface Input {
  queries: ReturnType<typeof makeQueries>;
  clusters: Parameters<typeof ops.ivfProbe>[1];
  requests: Parameters<typeof ops.ivfProbe>[2];
  index: ReturnType<typeof makeFilterIndex>;
  metric?: Metric;
}

const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1];

function makeCentroids({ clusters, dim, metric, centroids }: Sizes, random: Random) {
  const n = clusters.length;
  const pick = () =>
    centroids === 'special' ? random.pick(SPECIAL) : centroids === 'equal' ? 0 : random.uniform() / 100;
  return {
    centroids: tensorOf(int8s(random, n * dim), n, dim),
    centroidScales: tensorOf(new Float32Array(n).map(pick), n),
    centroidBias: metric === 'l2' ? tensorOf(new Float32Array(n).map(pick), n) : undefined,
  };
}

function makeExcludes({ batch, exclude = 0 }: RequestSizes, rows: number, random: Random) {
  const lists = Array.from({ length: batch }, (_, request) => {
    const count = exclude === 'random' ? [0, 1, 50, rows][request % 4] : exclude;
    return Array.from({ length: count as number }, () => random.integer(rows + 3) - 3);
  });
  const begins = Int32Array.from(lists, (_, request) => lists.slice(0, request).flat().length);
  const flat = Int32Array.from(lists.flat());
  return { excludeOffsets: tensorOf(begins, batch), excludeRows: tensorOf(flat, flat.length) };
}

/** Requests to an index of `clusters` clusters in `words` mask words, and the filter index for their plans. */
export function makeRequests(sizes: RequestSizes, clusters: number, words: number, random: Random) {
  const { batch, probes, minCandidates, plan = -1, exact } = sizes;
  const each = (value: number | 'random', low: number, high: number) =>
    tensorOf(value === 'random' ? integers(random, batch, low, high) : new Int32Array(batch).fill(value), batch);
  return {
    requests: {
      probes: each(probes, -1, clusters + 2),
      minCandidates: each(minCandidates, -1, 200),
      exact: each(exact ?? 1, 0, 1),
      planIndex: each(plan, -1, PLANS.length - 1),
      plans: makePlans(plan === -1 ? [] : PLANS),
      ...makeExcludes(sizes, 64 * words, random),
    },
    index: plan === -1 ? emptyFilterIndex(words) : makeFilterIndex(64 * words, random),
  };
}

function make(sizes: Sizes, random: Random): Input {
  const { batch, heads, dim, clusters, metric } = sizes;
  const { clusterBegin, live } = makeIndex({ clusters, dim: 0 }, random);
  return {
    queries: makeQueries(batch, heads, dim, random),
    clusters: { ...makeCentroids(sizes, random), clusterBegin, live },
    ...makeRequests(sizes, clusters.length, live.shape[0] as number, random),
    metric,
  };
}

const small = { clusters: BOUNDARY_CLUSTERS, dim: 32, batch: 3, heads: 1, probes: 2, minCandidates: 0 };
const many = {
  ...small,
  clusters: Array.from({ length: 60 }, (_, c) => (c * 37) % 131),
  batch: 7,
  heads: 3,
  probes: 5,
};
const random = {
  probes: 'random',
  minCandidates: 'random',
  plan: 'random',
  exact: 'random',
  exclude: 'random',
} as const;

export const cases = defineCases<Sizes, Input>(
  [
    ...(['ip', 'cosine', 'l2'] as const).flatMap((metric) =>
      [1, 3].flatMap((heads) => [1, 7].map((batch) => ({ ...small, metric, heads, batch }))),
    ),
    ...[64, 96, 3072].map((dim) => ({ ...small, dim, metric: 'l2' as const })),
    ...[0, 1, 7, 8, 9, 1000].map((probes) => ({ ...small, probes, heads: 3 })),
    ...[1, 31, 63, 64, 65, 255, 256, 257, 300].map((count) => ({
      ...small,
      name: `${count} clusters`,
      clusters: Array.from({ length: count }, (_, c) => c % 3),
      probes: 33,
    })),
    ...[1, 100, 1_000_000].map((minCandidates) => ({ ...many, minCandidates })),
    ...PLANS.flatMap((_, plan) => [
      { ...small, name: 'plan', plan },
      { ...many, name: 'plan', plan, minCandidates: 150, exact: 'random' as const },
    ]),
    { ...many, exclude: 40, minCandidates: 60 },
    { ...many, exclude: 'random', minCandidates: 60 },
    { ...many, exclude: 'random', minCandidates: 60, plan: 8 },
    ...[1, 2, 3].flatMap(() => [
      { ...small, ...random, batch: 33 },
      { ...many, ...random },
    ]),
    { ...small, centroids: 'equal', metric: 'l2', probes: 3 },
    { ...small, centroids: 'special', metric: 'l2', probes: 5 },
    { ...small, centroids: 'special', probes: 5 },
    { ...small, name: 'no requests', batch: 0 },
    { ...many, ...random, name: 'more clusters than one task', clusters: new Array(2500).fill(3), batch: 2 },
    ...[1, 64].map((batch) => ({ ...large(batch), bench: true })),
    ...[1, 64].map((batch) => ({ ...large(batch), bench: true, name: 'half of all rows', plan: 4 })),
    { ...large(8), bench: true, name: 'extended', plan: 3, minCandidates: 100 },
  ],
  make,
  ({ clusters, dim, batch, heads }) => ({
    bytes: clusters.length * (dim + 12),
    operations: 2 * batch * heads * clusters.length * dim,
  }),
);

function large(batch: number) {
  return { clusters: new Array(1000).fill(250), dim: 64, batch, heads: 1, probes: 32, minCandidates: 0 };
}

export const run = ({ queries, clusters, requests, index, metric }: Input) =>
  ops.ivfProbe(queries, clusters, requests, index, { metric, hashes: HASHES });
