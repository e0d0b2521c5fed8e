import type { Input } from '../cases/ivf_scan.js';
import { bitReader } from './bits.js';
import { int8Score, quantizedRow } from './metric.js';
import { byRank, plainScore, type Ranked } from './order.js';

/** Scores every row of the mask in the listed clusters and sorts them. */
export function ivfScan({ queries, index, probed, limits, k, metric }: Input) {
  const [batch, heads, dim] = queries.quantized.shape as [number, number, number];
  const [, , n] = probed.clusters.shape as [number, number, number];
  const words = index.live.shape[0] as number;
  const found = {
    scores: new Float32Array(batch * heads * k).fill(Number.NEGATIVE_INFINITY),
    ordinals: new Int32Array(batch * heads * k).fill(-1),
    scanned: new BigInt64Array(batch),
  };
  for (let q = 0; q < batch * heads; q++) {
    const request = Math.floor(q / heads);
    const limit = limits.view()[request] as number;
    if (limit <= 0) continue;
    const query = quantizedRow(queries.quantized.view(), queries.scales.view(), dim, q);
    const maskOf = probed.maskOf.view()[request] as number;
    const passes = bitReader(
      maskOf < 0 ? index.live.view() : probed.mask.view().subarray(maskOf * words, (maskOf + 1) * words),
    );
    const listed = probed.clusters.view().subarray(q * n, q * n + (probed.counts.view()[q] as number));
    const entries: Ranked[] = [];
    for (const cluster of new Set(listed)) {
      const [begin, end] = index.clusterBegin.view().subarray(cluster, cluster + 2) as unknown as [number, number];
      for (let row = begin; row < end; row++) {
        if (!passes(row)) continue;
        const values = quantizedRow(index.rows.view(), index.rowScales.view(), dim, row);
        const score = int8Score(query, values, index.rowBias?.view()[row], metric);
        entries.push({ score, id: index.ordinals.view()[row] as number });
      }
    }
    found.scanned[request] = (found.scanned[request] as bigint) + BigInt(entries.length);
    entries
      .sort(byRank)
      .slice(0, Math.min(limit, k))
      .forEach(({ score, id }, rank) => {
        found.scores[q * k + rank] = plainScore(score);
        found.ordinals[q * k + rank] = id;
      });
  }
  return found;
}
