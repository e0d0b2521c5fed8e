// Recording a search over one segment of index rows, and over two that share their queries.
import { concat } from '../ops/concat.js';
import type { Length } from '../ops/dispatch.js';
import { add, multiply } from '../ops/elementwise.js';
import type { FilterIndexTensors } from '../ops/filter_index.js';
import { type Clusters, ivfProbe, type Metric, type ProbeRequests, type Queries } from '../ops/ivf_probe.js';
import { type IndexRows, ivfScan } from '../ops/ivf_scan.js';
import { ivfSearch, type SearchedClusters } from '../ops/ivf_search.js';
import { mergeTopK } from '../ops/merge_top_k.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import { reshape } from '../ops/reshape.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type QueryVectors, queryVectors, type Rotation } from './rotation.js';

/** Symbolic inputs of a search, one entry per request. */
export interface SearchRequests extends ProbeRequests {
  /** int32 [batch]: candidates per request, at most k. */
  limits: SymbolicTensor;
  /** float32 [batch]: rows of its true list that a request may miss, negative for a number of probes; of a segment with stats. */
  allowedMisses?: SymbolicTensor;
}

/** What a search yields, all symbolic. */
export interface Candidates {
  /** float32 [batch, k], -Infinity where missing. */
  scores: SymbolicTensor;
  /** int32 [batch, k], -1 where missing. */
  ordinals: SymbolicTensor;
  /** int32 [batch, heads]: clusters scanned. */
  counts: SymbolicTensor;
  /** int64 [batch, 4], see native/ops/ivf_probe.h, and int64 [batch]: rows scored; of a search in rounds [batch, 5], both. */
  stats: SymbolicTensor;
  scanned?: SymbolicTensor;
  /** float32 [batch], of a search in rounds: rows of the true list expected elsewhere. */
  misses?: SymbolicTensor;
}

/** Rows that are searched together; with stats of its clusters in rounds, up to a recall target. */
export type SearchSegment = Clusters & IndexRows & Partial<Pick<SearchedClusters, 'clusterStats' | 'tail'>>;

/** How a segment is searched; `k` is the capacity of candidates. */
export interface SearchOptions {
  k: Length;
  metric: Metric;
  eligible: FilterIndexTensors & { readonly hashes: number };
  /** Clusters of the first round, where the segment has stats. */
  firstRound?: number | undefined;
}

/** int8 queries, and what is added to and multiplied with the scores of each: float32 [batch, heads]. */
export type SearchQueries = Queries<SymbolicTensor> & Pick<QueryVectors, 'offsets' | 'factors'>;

/** User embeddings float32 [batch, heads, dims] as an index quantises them. */
export function toQueries(user: SymbolicTensor, metric: Metric, rotation?: Rotation): SearchQueries {
  const { vectors, ...rest } = queryVectors(user, metric, rotation);
  return { ...quantizeInt8(vectors), ...rest };
}

/** Probe, filter the probed clusters, scan, merge heads. */
export function searchSegment(
  queries: SearchQueries,
  segment: SearchSegment,
  requests: SearchRequests,
  options: SearchOptions,
): Candidates {
  const { k } = options;
  const { scores: found, ordinals, ...told } = bestPerHead(queries, segment, requests, options);
  const [batch, heads] = queries.quantized.shape as [string, number | string];
  const { factors } = queries;
  const scores = factors ? multiply(found, reshape(factors, [batch, heads, 1])) : found;
  // Scores that differed may be equal once an offset is added, and are put in order again by merging.
  if (heads === 1 && !queries.offsets) {
    const shape = [batch, k];
    return { scores: reshape(scores, shape), ordinals: reshape(ordinals, shape), ...told };
  }
  const merged = mergeTopK(scores, ordinals, { k, counts: requests.limits });
  return { scores: merged.scores, ordinals: merged.ids, ...told };
}

/** Scores and ordinals [batch, heads, k]. */
function bestPerHead(
  queries: SearchQueries,
  segment: SearchSegment,
  requests: SearchRequests,
  { k, metric, eligible, firstRound = 1 }: SearchOptions,
): Candidates {
  const { hashes } = eligible;
  const { offsets } = queries;
  if (isSearchedInRounds(segment) && requests.allowedMisses !== undefined) {
    const asked = { ...requests, allowedMisses: requests.allowedMisses };
    return ivfSearch(queries, segment, asked, eligible, { k, firstRound, metric, hashes, offsets });
  }
  const probed = ivfProbe(queries, segment, requests, eligible, { metric, hashes });
  const found = ivfScan(queries, segment, probed, { k, limits: requests.limits, metric });
  const { ordinals, scanned } = found;
  const [batch, heads] = queries.quantized.shape as [string, number | string];
  const scores = offsets ? add(found.scores, reshape(offsets, [batch, heads, 1])) : found.scores;
  return { scores, ordinals, counts: probed.counts, stats: probed.stats, scanned };
}

function isSearchedInRounds(segment: SearchSegment): segment is SearchedClusters {
  return segment.clusterStats !== undefined && segment.tail !== undefined;
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
