import type { Input } from '../cases/merge_top_k.js';
import { byRank, plainScore, type Ranked } from './order.js';

/** All entries of a request sorted; of each id the first counts. */
export function mergeTopK({ scores, ids, counts, k }: Input) {
  const [batch, lists, n] = scores.shape as [number, number, number];
  const best = {
    scores: new Float32Array(batch * k).fill(Number.NEGATIVE_INFINITY),
    ids: new Int32Array(batch * k).fill(-1),
    sources: new Int32Array(batch * k).fill(-1),
  };
  for (let request = 0; request < batch; request++) {
    const entries: (Ranked & { source: number })[] = [];
    for (let i = 0; i < lists * n; i++) {
      const at = request * lists * n + i;
      const id = ids.view()[at] as number;
      if (id >= 0) entries.push({ score: scores.view()[at] as number, id, source: Math.floor(i / n) });
    }
    entries.sort((a, b) => byRank(a, b) || a.source - b.source);
    const kept = Math.min(k, Math.max(0, counts?.view()[request] ?? k));
    const seen = new Set<number>();
    for (const { score, id, source } of entries) {
      if (seen.size === kept) break;
      if (seen.has(id)) continue;
      const at = request * k + seen.size;
      seen.add(id);
      best.scores[at] = plainScore(score);
      best.ids[at] = id;
      best.sources[at] = source;
    }
  }
  return best;
}
