import type { Tensor } from 'silverlode';
import type { Input } from '../cases/ivf_probe.js';
import { type ClusterRows, clusterRowsReader, excludesOf } from './cluster_rows.js';
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
  const rowsOf = clusterRowsReader(clusters, requests, index);

  const found = {
    clusters: new Int32Array(batch * heads * n).fill(-1),
    counts: new Int32Array(batch * heads),
    mask: new BigInt64Array(batch * words),
    maskOf: new Int32Array(batch),
    stats: new BigInt64Array(batch * 4),
  };
  for (let request = 0; request < batch; request++) {
    const plan = int32s(requests.planIndex)[request] as number;
    const clusterRows = Array.from({ length: n }, (_, cluster) => rowsOf(request, cluster));
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
        const rows = (clusterRows[cluster] as ClusterRows).eligible.length;
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
    const sum = (set: Set<number>, of: (rows: ClusterRows) => number) =>
      BigInt([...set].reduce((total, cluster) => total + of(clusterRows[cluster] as ClusterRows), 0));
    const filtered = plan < 0 ? new Set<number>() : seen;
    found.maskOf[request] =
      excludesOf(requests, request).length > 0 ? request : plan < 0 ? -1 : sharedMask(requests, request);
    found.stats[4 * request] = BigInt(listed.size);
    found.stats[4 * request + 1] = sum(listed, (rows) => rows.eligible.length);
    found.stats[4 * request + 2] = sum(filtered, (rows) => rows.live);
    found.stats[4 * request + 3] = sum(filtered, (rows) => rows.doubtful);
    for (const cluster of listed) {
      for (const row of (clusterRows[cluster] as ClusterRows).eligible) {
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

/** The first request with the same plan and exactness and nothing excluded. */
function sharedMask(requests: Input['requests'], request: number): number {
  const plans = int32s(requests.planIndex);
  const exact = int32s(requests.exact);
  return plans.findIndex((plan, other) => {
    return plan === plans[request] && exact[other] === exact[request] && excludesOf(requests, other).length === 0;
  });
}
