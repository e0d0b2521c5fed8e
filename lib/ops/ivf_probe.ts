import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import { type FilterIndexTensors, type FilterPlanTensors, filterIndexOperands } from './filter_index.js';

/** How scores are formed: inner product, cosine (rows and queries normalised), negative squared distance. */
export type Metric = 'ip' | 'cosine' | 'l2';

/** Quantised queries, as from `quantizeInt8`. */
export interface Queries<I> {
  /** int8 [batch, heads, Dp]. */
  quantized: I;
  /** float32 [batch, heads]. */
  scales: AnyTensor;
}

/** Where clusters lie, and their centroids. */
export interface Clusters {
  /** int8 [C, Dp], float32 [C], float32 [C] (metric l2). */
  centroids: AnyTensor;
  centroidScales: AnyTensor;
  centroidBias?: AnyTensor;
  /** int32 [C + 1]: first row of each cluster, multiples of 64. */
  clusterBegin: AnyTensor;
  /** int64 [W]: one bit per row. */
  live: AnyTensor;
}

/** What a request asks of probing; shapes in native/ops/ivf_probe.h. */
export interface ProbeRequests {
  probes: AnyTensor;
  minCandidates: AnyTensor;
  exact: AnyTensor;
  planIndex: AnyTensor;
  plans: FilterPlanTensors;
  excludeOffsets: AnyTensor;
  excludeRows: AnyTensor;
}

/** Clusters to scan and eligible rows in them. */
export interface ProbedClusters<I extends AnyTensor> {
  /** int32 [batch, heads, C], in the order looked at, `counts` of them valid. */
  clusters: As<I, 'int32'>;
  /** int32 [batch, heads]. */
  counts: As<I, 'int32'>;
  /** int64 [batch, W]. */
  mask: As<I, 'int64'>;
  /** int32 [batch]: mask row of a request, -1 for `live`. */
  maskOf: As<I, 'int32'>;
  /** int64 [batch, 4]: clusters probed, eligible rows, rows filtered, doubtful rows. */
  stats: As<I, 'int64'>;
}

/**
 * Nearest clusters of each query and the eligible rows in them. The filter is evaluated only on rows of probed clusters,
 * and a query goes on to further clusters until it has seen `minCandidates` eligible rows (SilverTorch, arXiv 2511.14881,
 * probe-then-filter co-design). Where `probes` is 0 it lists every cluster with an eligible row, by id, and scores no centroid.
 */
export function ivfProbe<I extends AnyTensor>(
  queries: Queries<I>,
  clusters: Clusters,
  requests: ProbeRequests,
  index: FilterIndexTensors,
  options: { metric?: Metric; hashes: number },
): OpResult<I, ProbedClusters<I>> {
  const operands = [
    queries.quantized,
    queries.scales,
    clusters.centroids,
    clusters.centroidScales,
    clusters.centroidBias,
    clusters.clusterBegin,
    clusters.live,
    requests.probes,
    requests.minCandidates,
    requests.exact,
    requests.planIndex,
    requests.plans.offsets,
    requests.plans.steps,
    requests.excludeOffsets,
    requests.excludeRows,
    ...filterIndexOperands(index),
  ];
  const attributes = { metric: options.metric ?? 'ip', hashes: options.hashes };
  return dispatch<I, ProbedClusters<I>>('ivf_probe', operands, attributes, (outputs) => {
    const [probed, counts, mask, maskOf, stats] = outputs;
    return { clusters: probed, counts, mask, maskOf, stats };
  });
}
