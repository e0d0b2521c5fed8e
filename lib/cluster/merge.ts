// Answers of shards become that of the whole catalogue.
import type { ItemId, RetrieveStats } from '../retrieval/types.js';

/** What one shard found: its best items, with their places in the publish order of the whole catalogue. */
export interface ShardAnswer {
  ids: ItemId[];
  scores: Float32Array;
  places: Int32Array;
  stats: RetrieveStats;
}

/** The best k of all lists, each in order: score descending, then publish order of the whole catalogue. */
export function mergeAnswers(answers: readonly ShardAnswer[], k: number): { ids: ItemId[]; scores: Float32Array } {
  const all = answers.flatMap(({ ids, scores, places }) =>
    ids.map((id, i) => ({ id, score: scores[i] as number, place: places[i] as number })),
  );
  const best = all.sort((a, b) => b.score - a.score || a.place - b.place).slice(0, k);
  return { ids: best.map(({ id }) => id), scores: Float32Array.from(best, ({ score }) => score) };
}

/** Counts of all shards together; of clusters, which all shards share, the most that one looked at. */
export function mergeStats(answers: readonly ShardAnswer[], k: number): RetrieveStats {
  const all = answers.map(({ stats }) => stats);
  const sum = (of: (stats: RetrieveStats) => number) => all.reduce((total, stats) => total + of(stats), 0);
  const [first] = all as [RetrieveStats];
  const eligibleRows = sum((stats) => stats.eligibleRows);
  const merged: RetrieveStats = {
    strategy: first.strategy,
    probedClusters: Math.max(...all.map(({ probedClusters }) => probedClusters)),
    scannedRows: sum((stats) => stats.scannedRows),
    eligibleRows,
    doubtfulRows: sum((stats) => stats.doubtfulRows),
    candidates: Math.min(k, eligibleRows),
    exact: first.exact,
  };
  if (first.eligibleItems !== undefined) merged.eligibleItems = sum((stats) => stats.eligibleItems ?? 0);
  return merged;
}
