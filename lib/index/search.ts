// Recording a search over one segment of index rows, and over two that share their queries.
import { concat } from '../ops/concat.js';
import { add } from '../ops/elementwise.js';
import type { Length } from '../ops/dispatch.js';
import type { FilterIndexTensors } from '../ops/filter_index.js';
import { type Clusters, ivfProbe, type Metric, type ProbeRequests, type Queries } from '../ops/ivf_probe.js';
import { type IndexRows, ivfScan } from '../ops/ivf_scan.js';
import { mergeTopK } from '../ops/merge_top_k.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import { reshape } from '../ops/reshape.js';
import type { SymbolicTensor } from '../program/trace.js';
import { queryVectors, type Rotation } from './rotation.js';

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

/** int8 queries, and what is added to the scores of each: float32 [batch, heads]. */
export interface SearchQueries extends Queries<SymbolicTensor> {
  offsets?: SymbolicTensor;
}

/** User embeddings float32 [batch, heads, dims] as an index quantises them. */
export function toQueries(user: SymbolicTensor, metric: Metric, rotation?: Rotation): SearchQueries {
  const { vectors, offsets } = queryVectors(user, metric, rotation);
  return { ...quantizeInt8(vectors), ...(offsets && { offsets }) };
}

/** Probe, filter the probed clusters, scan, merge heads. */
export function searchSegment(
  queries: SearchQueries,
  segment: SearchSegment,
  requests: SearchRequests,
  { k, metric, eligible }: SearchOptions,
): Candidates {
  const probed = ivfProbe(queries, segment, requests, eligible, { metric, hashes: eligible.hashes });
  const found = ivfScan(queries, segment, probed, { k, limits: requests.limits, metric });
  const { ordinals, scanned } = found;
  const shared = { counts: probed.counts, stats: probed.stats, scanned };
  const [batch, heads] = queries.quantized.shape as [string, number | string];
  const { offsets } = queries;
  const scores = offsets ? add(found.scores, reshape(offsets, [batch, heads, 1])) : found.scores;
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
