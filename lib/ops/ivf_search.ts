import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type Length, lengthAttribute, type OpResult } from './dispatch.js';
import { type FilterIndexTensors, filterIndexOperands } from './filter_index.js';
import type { Clusters, Metric, ProbeRequests, Queries } from './ivf_probe.js';
import type { IndexRows } from './ivf_scan.js';

/** Clusters and what is known of the scores of their members; see native/ops/recall_estimate.h. */
export interface SearchedClusters extends Clusters, IndexRows {
  /** float32 [5, C]: gain, shift, variance, bias variance, rows. */
  clusterStats: AnyTensor;
  /** int32 [256]: share of members above a threshold, times 2^20, by distance in spreads. */
  tail: AnyTensor;
}

/** What a request asks of a search. */
export interface RecallRequests extends ProbeRequests {
  /** int32 [batch]: candidates per request, at most k. */
  limits: AnyTensor;
  /** float32 [batch]: rows of its true list that a request may miss; negative: it scans `probes` clusters. */
  allowedMisses: AnyTensor;
}

/** Best rows per head. */
export interface SearchedCandidates<I extends AnyTensor> {
  /** float32 [batch, heads, k], -Infinity where missing. */
  scores: As<I, 'float32'>;
  /** int32 [batch, heads, k], -1 where missing. */
  ordinals: As<I, 'int32'>;
  /** int32 [batch, heads]: clusters scanned. */
  counts: As<I, 'int32'>;
  /** int64 [batch, 5]: clusters probed, eligible rows, rows filtered, doubtful rows, rows scored. */
  stats: As<I, 'int64'>;
  /** float32 [batch]: rows of the true list that are expected elsewhere, mean over heads. */
  misses: As<I, 'float32'>;
}

/**
 * Probe, filter, scan and select in rounds that are fixed by rank, nearest clusters first: a request stops when so few rows of
 * its true list are expected elsewhere as it allows. The estimate uses the k-th best eligible score found so far, as in adaptive
 * partition scanning (Quake, OSDI 2025), with spreads and a tail measured when the model was published.
 *
 * @param options `k`: capacity of candidates; `firstRound`: clusters of the first round; `offsets` float32 [batch, heads]: added
 *   to the scores of a head; `hashes` of the filter index
 */
export function ivfSearch<I extends AnyTensor>(
  queries: Queries<I>,
  index: SearchedClusters,
  requests: RecallRequests,
  filter: FilterIndexTensors,
  options: { k: Length; firstRound: number; metric?: Metric; hashes: number; offsets?: AnyTensor },
): OpResult<I, SearchedCandidates<I>> {
  const operands = [
    queries.quantized,
    queries.scales,
    options.offsets,
    index.centroids,
    index.centroidScales,
    index.centroidBias,
    index.clusterBegin,
    index.clusterStats,
    index.tail,
    index.rows,
    index.rowScales,
    index.rowBias,
    index.ordinals,
    index.live,
    requests.limits,
    requests.probes,
    requests.allowedMisses,
    requests.minCandidates,
    requests.exact,
    requests.planIndex,
    requests.plans.offsets,
    requests.plans.steps,
    requests.excludeOffsets,
    requests.excludeRows,
    ...filterIndexOperands(filter),
  ];
  const { metric = 'ip', hashes, firstRound } = options;
  const attributes = { metric, hashes, k: lengthAttribute(options.k), first_round: firstRound };
  return dispatch<I, SearchedCandidates<I>>('ivf_search', operands, attributes, (outputs) => {
    const [scores, ordinals, counts, stats, misses] = outputs;
    return { scores, ordinals, counts, stats, misses };
  });
}
