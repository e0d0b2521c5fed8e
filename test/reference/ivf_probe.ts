import type { Tensor } from 'silverlode';
import { HASHES } from '../cases/filter_index.js';
import type { Input } from '../cases/ivf_probe.js';
import { bitReader } from './bits.js';
import { planReader } from './filter_plan.js';
import { int8Score, quantizedRow } from './metric.js';
import { byRank, type Ranked } from './order.js';

const int32s = (input: unknown): Int32Array => (input as Tensor<'int32'>).view();
const floats = (input: unknown): Float32Array => (input as Tensor<'float32'>).view();

/** Each head walks through all clusters, nearest first, looking at every row. */
export function ivfProbe({ queries, clusters, requests, index, metric }: Input) {
  const [batch, heads, dim] = queries.quantized.shape as [number, number, number];
  const n = clusters.centroids.shape[0] as number;
  const begins = int32s(clusters.clusterBegin);
  const words = clusters.live.shape[0] as number;
  const live = bitReader((clusters.live as Tensor<'int64'>).view());
  const steps = (requests.plans.steps as Tensor<'int64'>).view();
  const verdict = planReader(index, steps, int32s(requests.plans.offsets), HASHES);

  const found = {
    clusters: new Int32Array(batch * heads * n).fill(-1),
    counts: new Int32Array(batch * heads),
    mask: new BigInt64Array(batch * words),
    maskOf: new Int32Array(batch),
    stats: new BigInt64Array(batch * 4),
  };
  for (let request = 0; request < batch; request++) {
    const plan = int32s(requests.planIndex)[request] as number;
    const excluded = new Set(excludesOf(requests, request));
    const rowsOf = (cluster: number) => {
      const [begin, end] = begins.subarray(cluster, cluster + 2) as unknown as [number, number];
      const rows = Array.from({ length: end - begin }, (_, i) => begin + i).filter(live);
      const verdicts = plan < 0 ? [] : rows.map((row) => verdict(plan, row));
      const exact = int32s(requests.exact)[request] !== 0;
      const passes = (i: number) => verdicts[i]?.[exact ? 'truth' : 'hi'] ?? true;
      return {
        live: rows.length,
        doubtful: verdicts.filter(({ lo, hi }) => hi && !lo).length,
        eligible: rows.filter((row, i) => passes(i) && !excluded.has(row)),
      };
    };
    const clusterRows = Array.from({ length: n }, (_, cluster) => rowsOf(cluster));
    const probes = Math.max(0, Math.min(n, int32s(requests.probes)[request] as number));
    const isEvery = probes === 0;
    const wanted = isEvery ? Number.POSITIVE_INFINITY : (int32s(requests.minCandidates)[request] as number);
    const seen = new Set<number>();
    const listed = new Set<number>();
    for (let q = request * heads; q < (request + 1) * heads; q++) {
      let eligible = 0;
      let looked = 0;
      const inOrder = isEvery ? begins.slice(0, n).keys() : nearest({ queries, clusters, metric } as Input, q, dim, n);
      for (const cluster of inOrder) {
        if (looked >= probes && eligible >= wanted) break;
        const rows = (clusterRows[cluster] as (typeof clusterRows)[0]).eligible.length;
        seen.add(cluster);
        if (looked < probes || rows > 0) {
          found.clusters[q * n + (found.counts[q] as number)] = cluster;
          found.counts[q] = (found.counts[q] as number) + 1;
          listed.add(cluster);
        }
        looked += 1;
        eligible += rows;
      }
    }
    const sum = (set: Set<number>, of: (rows: (typeof clusterRows)[0]) => number) =>
      BigInt([...set].reduce((total, cluster) => total + of(clusterRows[cluster] as (typeof clusterRows)[0]), 0));
    const filtered = plan < 0 ? new Set<number>() : seen;
    found.maskOf[request] = excluded.size > 0 ? request : plan < 0 ? -1 : sharedMask(requests, request);
    found.stats[4 * request] = BigInt(listed.size);
    found.stats[4 * request + 1] = sum(listed, (rows) => rows.eligible.length);
    found.stats[4 * request + 2] = sum(filtered, (rows) => rows.live);
    found.stats[4 * request + 3] = sum(filtered, (rows) => rows.doubtful);
    for (const cluster of listed) {
      for (const row of (clusterRows[cluster] as (typeof clusterRows)[0]).eligible) {
        const word = request * words + (row >> 6);
        found.mask[word] = (found.mask[word] as bigint) | BigInt.asIntN(64, 1n << BigInt(row & 63));
      }
    }
  }
  return found;
}

function nearest({ queries, clusters, metric }: Input, q: number, dim: number, n: number): number[] {
  const query = quantizedRow(queries.quantized.view(), queries.scales.view(), dim, q);
  const centroids = (clusters.centroids as Tensor<'int8'>).view();
  const bias = clusters.centroidBias && floats(clusters.centroidBias);
  const ranked = Array.from({ length: n }, (_, id): Ranked => {
    const centroid = quantizedRow(centroids, floats(clusters.centroidScales), dim, id);
    return { id, score: int8Score(query, centroid, bias?.[id], metric) };
  });
  return ranked.sort(byRank).map(({ id }) => id);
}

function excludesOf(requests: Input['requests'], request: number): number[] {
  const [begin, end] = int32s(requests.excludeOffsets).subarray(request, request + 2);
  return [...int32s(requests.excludeRows).subarray(begin, end)].filter((row) => row >= 0);
}

/** The first request with the same plan and exactness and nothing excluded. */
function sharedMask(requests: Input['requests'], request: number): number {
  const plans = int32s(requests.planIndex);
  const exact = int32s(requests.exact);
  return plans.findIndex((plan, other) => {
    return plan === plans[request] && exact[other] === exact[request] && excludesOf(requests, other).length === 0;
  });
}
