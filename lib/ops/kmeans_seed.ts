import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * k-means++ start (Arthur and Vassilvitskii 2007), deterministic for a seed.
 *
 * @param rows float32 [N, D]
 * @returns int32 [clusters]: the chosen rows
 */
export function kmeansSeed<I extends AnyTensor>(
  rows: I,
  options: { clusters: number; seed?: number },
): OpResult<I, As<I, 'int32'>> {
  const attributes = { clusters: options.clusters, seed: options.seed ?? 0 };
  return dispatch<I, As<I, 'int32'>>('kmeans_seed', [rows], attributes, ([chosen]) => chosen);
}
