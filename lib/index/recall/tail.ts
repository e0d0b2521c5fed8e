// What share of a cluster's members scores above a threshold, by how many spreads that lies above what they are expected to
// score: measured over all clusters together, where thresholds are those of true lists.
import { inTurns } from '../progress.js';
import { BIAS_VARIANCE, GAIN, SHIFT, SIZE, VARIANCE } from './cluster_stats.js';
import { centroidScore, distanceOf, itemScore, type Sampled } from './sample.js';

/** As in native/ops/recall_estimate.h. */
const ENTRIES = 256;
const STEPS = 8;
const ORIGIN = 32;
const ONE = 2 ** 20;
const STEEPEST = 1e30;

/** The true list of a sample query, without the item that the query is. */
export interface SampleList {
  /** Best first. */
  items: Int32Array;
}

/**
 * int32 [256]: shares times 2^20, falling.
 *
 * @param depths Thresholds are the scores at these ranks of the true lists, as far as the lists go.
 */
export async function tailTable(
  sample: Sampled,
  stats: Float32Array,
  lists: readonly SampleList[],
  depths: readonly number[],
): Promise<Int32Array> {
  const { count, rows } = sample;
  const above = new Float64Array(ENTRIES);
  const members = new Float64Array(ENTRIES);
  const found = new Int32Array(count);
  await inTurns(lists.length, (query) => {
    const { items } = lists[query] as SampleList;
    for (const depth of depths) {
      if (depth > items.length) continue;
      const threshold = itemScore(sample, query, items[depth - 1] as number);
      found.fill(0);
      for (let i = 0; i < depth; i++) {
        const cluster = rows.clusters[items[i] as number] as number;
        found[cluster] = (found[cluster] as number) + 1;
      }
      for (let cluster = 0; cluster < count; cluster++) {
        const entry = entryOf(sample, stats, query, cluster, threshold);
        above[entry] = (above[entry] as number) + (found[cluster] as number) / depth;
        members[entry] = (members[entry] as number) + (stats[SIZE * count + cluster] as number) / depth;
      }
    }
  });
  return Int32Array.from(falling(above, members), (share) => Math.min(ONE, Math.round(share * ONE)));
}

function entryOf(sample: Sampled, stats: Float32Array, query: number, cluster: number, threshold: number): number {
  const { count, rows, querySquares } = sample;
  const stat = (row: number) => stats[row * count + cluster] as number;
  const score = stat(GAIN) * centroidScore(sample, query, cluster) + stat(SHIFT);
  const l2 = rows.metric === 'l2';
  const norm = l2 ? 1 : (querySquares[query] as number);
  const spread = Math.sqrt(stat(VARIANCE) * norm + stat(BIAS_VARIANCE));
  const distance = l2 ? distanceOf(threshold) - distanceOf(score) : threshold - score;
  const entry = distance * Math.min(STEPS / spread, STEEPEST) + ORIGIN;
  return Math.min(ENTRIES - 1, Math.max(0, Math.floor(entry)));
}

/** Shares that never rise, nearest to what was counted: neighbours that rise are pooled (isotonic regression). */
function falling(above: Float64Array, members: Float64Array): number[] {
  const pools: { above: number; members: number; entries: number }[] = [];
  for (let entry = 0; entry < ENTRIES; entry++) {
    let pool = { above: above[entry] as number, members: members[entry] as number, entries: 1 };
    for (;;) {
      const last = pools.at(-1);
      if (last === undefined || last.above * pool.members > pool.above * last.members) break;
      pools.pop();
      pool = {
        above: last.above + pool.above,
        members: last.members + pool.members,
        entries: last.entries + pool.entries,
      };
    }
    pools.push(pool);
  }
  return pools.flatMap((pool) =>
    new Array<number>(pool.entries).fill(pool.members === 0 ? 0 : pool.above / pool.members),
  );
}
