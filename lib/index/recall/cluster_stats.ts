// How the scores of a cluster's members lie around what its centroid promises; see native/ops/recall_estimate.h.
import { breathe } from '../progress.js';
import { centroidScore, distanceOf, itemScore, type Sampled } from './sample.js';

/** Rows of `clusterStats`. */
export const GAIN = 0;
export const SHIFT = 1;
export const VARIANCE = 2;
export const BIAS_VARIANCE = 3;
export const SIZE = 4;
const STAT_ROWS = 5;

/** Queries per cluster whose scores are looked at, the nearest ones: where a query is near, the spread matters. */
const NEAREST = 8;
/** Members per cluster that are looked at. */
const MEMBERS = 64;
/** Products computed between two turns of the event loop: a few milliseconds. */
const PIECE_PRODUCTS = 2 ** 21;

/** Moments of one cluster. */
interface Moments {
  shift: number;
  variance: number;
  biasVariance: number;
}

/** float32 [5, C]: gain, shift, variance, bias variance and rows of every cluster. */
export async function clusterStats(sample: Sampled): Promise<Float32Array> {
  const { count, order, starts, rows } = sample;
  const stats = new Float32Array(STAT_ROWS * count);
  let work = 0;
  for (let cluster = 0; cluster < count; cluster++) {
    const all = order.subarray(starts[cluster], starts[cluster + 1]);
    const step = Math.max(1, Math.ceil(all.length / MEMBERS));
    const members = all.filter((_, i) => i % step === 0);
    const near = nearestQueries(sample, cluster);
    const { shift, variance, biasVariance } =
      rows.metric === 'l2' ? ofDistances(sample, cluster, members, near) : ofProducts(sample, cluster, members, near);
    stats[GAIN * count + cluster] = 1;
    stats[SHIFT * count + cluster] = shift;
    stats[VARIANCE * count + cluster] = variance;
    stats[BIAS_VARIANCE * count + cluster] = biasVariance;
    stats[SIZE * count + cluster] = all.length;
    work += members.length * (near.length + 1) * rows.dims;
    if (work < PIECE_PRODUCTS) continue;
    work = 0;
    await breathe();
  }
  return stats;
}

/** The queries that score a centroid best, by direction for inner products. */
function nearestQueries(sample: Sampled, cluster: number): number[] {
  const { queries, querySquares, rows } = sample;
  const near: { query: number; score: number }[] = [];
  for (let query = 0; query < queries.count; query++) {
    const length = rows.metric === 'l2' ? 1 : Math.sqrt(querySquares[query] as number);
    if (length === 0) continue;
    const score = centroidScore(sample, query, cluster) / length;
    if (near.length === NEAREST && score <= (near.at(-1)?.score as number)) continue;
    const at = near.findIndex((other) => score > other.score);
    near.splice(at < 0 ? near.length : at, 0, { query, score });
    near.length = Math.min(near.length, NEAREST);
  }
  return near.map(({ query }) => query);
}

/** Of scores per unit of |q|, but for what priors add. */
function ofProducts(sample: Sampled, cluster: number, members: Int32Array, near: readonly number[]): Moments {
  const { rows, queries, querySquares } = sample;
  const biasVariance = rows.priors ? varianceOf(rows.bias as ArrayLike<number>, members) : 0;
  let squares = 0;
  let looked = 0;
  for (const query of near) {
    const expected = centroidScore(sample, query, cluster);
    for (const item of members) {
      if (item === queries.items[query]) continue;
      const deviation = itemScore(sample, query, item) - expected;
      squares += (deviation * deviation - biasVariance) / (querySquares[query] as number);
      looked += 1;
    }
  }
  return { shift: 0, variance: looked === 0 ? 0 : Math.max(0, squares / looked), biasVariance };
}

/** Of the distances behind scores, around that of a centroid which is as far off as its members are wide. */
function ofDistances(sample: Sampled, cluster: number, members: Int32Array, near: readonly number[]): Moments {
  const { rows, queries, centroidSquares } = sample;
  const { dims, vectors } = rows;
  let sum = 0;
  for (const item of members) {
    for (let i = item * dims; i < (item + 1) * dims; i++) sum += (vectors[i] as number) ** 2;
  }
  const shift = -Math.max(0, sum / Math.max(1, members.length) - (centroidSquares[cluster] as number));
  let squares = 0;
  let looked = 0;
  for (const query of near) {
    const expected = distanceOf(centroidScore(sample, query, cluster) + shift);
    for (const item of members) {
      if (item === queries.items[query]) continue;
      squares += (distanceOf(itemScore(sample, query, item)) - expected) ** 2;
      looked += 1;
    }
  }
  return { shift, variance: looked === 0 ? 0 : squares / looked, biasVariance: 0 };
}

function varianceOf(values: ArrayLike<number>, members: Int32Array): number {
  let sum = 0;
  for (const item of members) sum += values[item] as number;
  const mean = sum / Math.max(1, members.length);
  let squares = 0;
  for (const item of members) squares += ((values[item] as number) - mean) ** 2;
  return squares / Math.max(1, members.length);
}
