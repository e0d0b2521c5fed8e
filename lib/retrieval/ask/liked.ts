// Requests by items: what somebody likes in place of an embedding.
import { SilverlodeError } from '../../errors.js';
import type { Metric } from '../../ops/ivf_probe.js';
import type { Manifest } from '../manifest.js';
import type { ItemId, RetrieveRequest } from '../types.js';
import type { Version } from '../version.js';
import { idsOf } from './ids.js';
import { vectorOf } from './item_vector.js';
import { invalid } from './numbers.js';

/** Heads of a request by the nearest to any; and items of one by a mean, which cost a few microseconds each. */
const MOST_HEADS = 64;
const MOST_MEANT = 4096;

export interface Liked {
  liked: readonly ItemId[];
  disliked: readonly ItemId[];
  strategy: 'mean' | 'best';
}

/** What a request likes, undefined for one that says nothing of it. */
export function likedBy(request: RetrieveRequest, { ids, heads }: Manifest): Liked | undefined {
  const { like, dislike, strategy = 'mean' } = request;
  if (like === undefined) {
    const alone = dislike !== undefined ? 'dislike' : request.strategy !== undefined ? 'strategy' : undefined;
    if (alone) throw invalid(`'${alone}' goes with 'like'`, { field: alone });
    return undefined;
  }
  if (strategy !== 'mean' && strategy !== 'best')
    throw invalid(`strategy must be 'mean' or 'best', got ${String(strategy)}`, { field: 'strategy' });
  const isBest = strategy === 'best';
  if (isBest && dislike !== undefined)
    throw invalid("strategy 'best' looks for the nearest to any liked item and takes no 'dislike'", {
      field: 'dislike',
    });
  const liked = idsOf('like', like, ids, isBest ? MOST_HEADS : MOST_MEANT);
  const disliked = dislike === undefined ? [] : idsOf('dislike', dislike, ids, MOST_MEANT);
  if (liked.length === 0) throw invalid('like is empty', { field: 'like' });
  const made = isBest ? liked.length : 1;
  if (heads !== null && heads !== made)
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `the model takes ${heads} embedding(s) per user, strategy '${strategy}' gives ${made}`,
      { field: 'like' },
    );
  return { liked, disliked, strategy };
}

/** float32 [heads, dims]. @throws SilverlodeError `INVALID_ARGUMENT` for an id that no item has. */
export function userOf({ liked, disliked, strategy }: Liked, version: Version): Float32Array {
  const { dims, metric } = version.main.manifest;
  const vectors = (field: string, ids: readonly ItemId[]) =>
    ids.map((id) => {
      const vector = vectorOf(id, version);
      if (vector === undefined) throw invalid(`no item has the id ${String(id)} that '${field}' holds`, { field });
      return vector;
    });
  const likes = vectors('like', liked);
  if (strategy === 'best') {
    const heads = new Float32Array(likes.length * dims);
    for (const [head, vector] of likes.entries()) heads.set(vector, head * dims);
    return heads;
  }
  const [for_, against] = [meanOf(likes, dims), meanOf(vectors('dislike', disliked), dims)];
  return Float32Array.from(for_, (value, dim) => differenceOf(value, against[dim] as number, disliked.length, metric));
}

/** A direction away from what is disliked, or for distances a place: as far from the liked ones as these are from the others. */
function differenceOf(liked: number, disliked: number, count: number, metric: Metric): number {
  if (count === 0) return liked;
  return metric === 'l2' ? 2 * liked - disliked : liked - disliked;
}

function meanOf(vectors: readonly Float32Array[], dims: number): Float64Array {
  const mean = new Float64Array(dims);
  for (const vector of vectors)
    for (let dim = 0; dim < dims; dim++) mean[dim] = (mean[dim] as number) + (vector[dim] as number);
  return mean.map((sum) => sum / Math.max(1, vectors.length));
}
