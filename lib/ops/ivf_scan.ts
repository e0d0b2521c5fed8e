import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type Length, lengthAttribute, type OpResult } from './dispatch.js';
import type { Clusters, Metric, ProbedClusters, Queries } from './ivf_probe.js';

/** Index rows, sorted by cluster. */
export interface IndexRows {
  /** int8 [N, Dp]. */
  rows: AnyTensor;
  /** float32 [N]. */
  rowScales: AnyTensor;
  /** float32 [N]: added to the score. */
  rowBias?: AnyTensor;
  /** int32 [N]: publish order of the item in a row, -1 for padding. */
  ordinals: AnyTensor;
}

/** Best rows per head. */
export interface ScannedCandidates<I extends AnyTensor> {
  /** float32 [batch, heads, k], -Infinity where missing. */
  scores: As<I, 'float32'>;
  /** int32 [batch, heads, k], -1 where missing. */
  ordinals: As<I, 'int32'>;
  /** int64 [batch]: rows scored. */
  scanned: As<I, 'int64'>;
}

/**
 * Exact int8 scores of the eligible rows of the probed clusters, fused with mask and selection: rows outside the mask are
 * never read, and scores below the running threshold are never stored.
 *
 * @param options `k`; `limits` int32 [batch]: at most this many candidates per head; `metric`
 */
export function ivfScan<I extends AnyTensor>(
  queries: Queries<I>,
  index: IndexRows & Pick<Clusters, 'clusterBegin' | 'live'>,
  probed: Omit<ProbedClusters<AnyTensor>, 'stats'>,
  options: { k: Length; limits: AnyTensor; metric?: Metric },
): OpResult<I, ScannedCandidates<I>> {
  const operands = [
    queries.quantized,
    queries.scales,
    index.rows,
    index.rowScales,
    index.rowBias,
    index.ordinals,
    index.clusterBegin,
    index.live,
    probed.clusters,
    probed.counts,
    probed.mask,
    probed.maskOf,
    options.limits,
  ];
  const attributes = { metric: options.metric ?? 'ip', k: lengthAttribute(options.k) };
  return dispatch<I, ScannedCandidates<I>>('ivf_scan', operands, attributes, (outputs) => {
    const [scores, ordinals, scanned] = outputs;
    return { scores, ordinals, scanned };
  });
}
