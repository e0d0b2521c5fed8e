import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Means of clusters. */
export interface Centroids<I extends AnyTensor> {
  /** float32 [C, D]. */
  centroids: As<I, 'float32'>;
  /** int32 [C]: rows per cluster, before empty clusters were re-seeded. */
  sizes: As<I, 'int32'>;
}

/**
 * The second half of a Lloyd iteration: means of the rows of each cluster; empty clusters split the largest ones.
 *
 * @param rows float32 [N, D]
 * @param clusters int32 [N] in [0, C)
 */
export function updateCentroids<I extends AnyTensor>(
  rows: I,
  clusters: AnyTensor,
  options: { clusters: number },
): OpResult<I, Centroids<I>> {
  return dispatch<I, Centroids<I>>('update_centroids', [rows, clusters], options, (outputs) => {
    const [centroids, sizes] = outputs;
    return { centroids, sizes };
  });
}
