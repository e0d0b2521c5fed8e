import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * One cluster per row, none larger than `cap`: rows that find their nearest cluster full spill to the next nearest.
 *
 * @param nearest int32 [N, m] and `scores` float32 [N, m] from `assignClusters`
 * @param options `clusters`: C; `cap`: C · cap >= N is required
 * @returns int32 [N]
 */
export function balanceClusters<I extends AnyTensor>(
  nearest: I,
  scores: AnyTensor,
  options: { clusters: number; cap: number },
): OpResult<I, As<I, 'int32'>> {
  return dispatch<I, As<I, 'int32'>>('balance_clusters', [nearest, scores], options, ([clusters]) => clusters);
}
