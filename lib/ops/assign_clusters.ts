import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Nearest centroids of rows, [N, m]. */
export interface Assignment<I extends AnyTensor> {
  /** int32, nearest first; ties: lower id; -1 beyond the number of centroids. */
  clusters: As<I, 'int32'>;
  /** float32: x·c - |c|²/2, larger is nearer. */
  scores: As<I, 'float32'>;
}

/**
 * The m nearest centroids of every row by Euclidean distance; equal bits at any thread count and SIMD level.
 *
 * @param rows float32 [N, D]
 * @param centroids float32 [C, D]
 * @param options `nearest`: m (default 1, at most 16)
 */
export function assignClusters<I extends AnyTensor>(
  rows: I,
  centroids: AnyTensor,
  options: { nearest?: number } = {},
): OpResult<I, Assignment<I>> {
  return dispatch<I, Assignment<I>>(
    'assign_clusters',
    [rows, centroids],
    { nearest: options.nearest ?? 1 },
    (outputs) => {
      const [clusters, scores] = outputs;
      return { clusters, scores };
    },
  );
}
