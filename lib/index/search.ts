// Recording a search over one segment of index rows, and over two that share their queries.
import { concat } from '../ops/concat.js';
import type { Length } from '../ops/dispatch.js';
import type { FilterIndexTensors } from '../ops/filter_index.js';
import { type Clusters, ivfProbe, type Metric, type ProbeRequests, type Queries } from '../ops/ivf_probe.js';
import { type IndexRows, ivfScan } from '../ops/ivf_scan.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { mergeTopK } from '../ops/merge_top_k.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import { reshape } from '../ops/reshape.js';
import type { SymbolicTensor } from '../program/trace.js';

/** Symbolic inputs of a search, one entry per request. */
export interface SearchRequests extends ProbeRequests {
  /** int32 [batch]: candidates per request, at most k. */
  limits: SymbolicTensor;
}

/** What a search yields, all symbolic. */
export interface Candidates {
  /** float32 [batch, k], -Infinity where missing. */
  scores: SymbolicTensor;
  /** int32 [batch, k], -1 where missing. */
  ordinals: SymbolicTensor;
  /** int32 [batch, heads]: clusters scanned. */
  counts: SymbolicTensor;
  /** int64 [batch, 4], see native/ops/ivf_probe.h, and int64 [batch]: rows scored. */
  stats: SymbolicTensor;
  scanned: SymbolicTensor;
}

/** Rows that are probed and scanned together. */
export type SearchSegment = Clusters & IndexRows;

/** How a segment is searched; `k` is the capacity of candidates. */
export interface SearchOptions {
  k: Length;
  metric: Metric;
  eligible: FilterIndexTensors & { readonly hashes: number };
}

/** User embeddings float32 [batch, heads, dims] as int8 queries. */
export function toQueries(user: SymbolicTensor, metric: Metric): Queries<SymbolicTensor> {
  return quantizeInt8(metric === 'cosine' ? l2Normalize(user) : user);
}

/** Probe, filter the probed clusters, scan, merge heads. */
export function searchSegment(
  queries: Queries<SymbolicTensor>,
  segment: SearchSegment,
  requests: SearchRequests,
  { k, metric, eligible }: SearchOptions,
): Candidates {
  const probed = ivfProbe(queries, segment, requests, eligible, { metric, hashes: eligible.hashes });
  const { scores, ordinals, scanned } = ivfScan(queries, segment, probed, { k, limits: requests.limits, metric });
  const shared = { counts: probed.counts, stats: probed.stats, scanned };
  const [batch, heads] = queries.quantized.shape as [string, number | string];
  if (heads === 1) {
    const shape = [batch, k];
    return { scores: reshape(scores, shape), ordinals: reshape(ordinals, shape), ...shared };
  }
  const merged = mergeTopK(scores, ordinals, { k, counts: requests.limits });
  return { scores: merged.scores, ordinals: merged.ids, ...shared };
}

/** The best of two segments with no item in common. */
export function mergeSegments(
  [first, second]: readonly [Candidates, Candidates],
  { k, limits }: { k: Length; limits: SymbolicTensor },
): Pick<Candidates, 'scores' | 'ordinals'> {
  // Pairs as lists of two: merging orders all entries of a request, whichever list they are in.
  const pairUp = (one: SymbolicTensor, other: SymbolicTensor) => {
    const shape = [...one.shape, 1];
    return concat([reshape(one, shape), reshape(other, shape)]);
  };
  const scores = pairUp(first.scores, second.scores);
  const merged = mergeTopK(scores, pairUp(first.ordinals, second.ordinals), { k, counts: limits });
  return { scores: merged.scores, ordinals: merged.ids };
}
