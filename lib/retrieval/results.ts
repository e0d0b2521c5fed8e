// Program outputs to results.
import { SilverlodeError } from '../errors.js';
import { type Arrangement, arranged } from './give/arrange.js';
import { itemAt } from './give/items.js';
import type { Manifest } from './manifest.js';
import { recallExpected } from './recall/shares.js';
import { type CheckedRequest, isNarrowed } from './requests.js';
import type { RetrieveResult, RetrieveStats } from './types.js';

/** Outputs of a run as flat arrays. */
export interface BatchOutputs {
  scores: Float32Array;
  ordinals: Int32Array;
  counts: Int32Array;
  stats: BigInt64Array;
  /** `stats` holds as many numbers per request. */
  statsWidth: number;
  /** Of searches in rounds: items of the true list that a request expects to miss. */
  misses: Float32Array | undefined;
  /** Rows scored per request. */
  scanned: BigInt64Array;
  /** Of the fresh segment, in programs that search one. */
  freshStats: BigInt64Array | undefined;
  freshScanned: BigInt64Array | undefined;
  /** Logits of a model with a reranker. */
  tasks: Float32Array | undefined;
  /** Entries per request. */
  width: number;
}

/** Names outputs, given in program order: a search in rounds gives the rows scored among its stats, and tells what it misses. */
export function toOutputs(
  outputs: readonly ArrayBufferView[],
  batch: number,
  { fresh, inRounds }: { fresh: boolean; inRounds: boolean },
): BatchOutputs {
  const ordinals = outputs[1] as Int32Array;
  const stats = outputs[3] as BigInt64Array;
  const statsWidth = inRounds ? 5 : 4;
  const scanned = inRounds
    ? BigInt64Array.from({ length: batch }, (_, b) => stats[b * statsWidth + 4] as bigint)
    : (outputs[4] as BigInt64Array);
  return {
    scores: outputs[0] as Float32Array,
    ordinals,
    counts: outputs[2] as Int32Array,
    stats,
    statsWidth,
    misses: inRounds ? (outputs[4] as Float32Array) : undefined,
    scanned,
    freshStats: fresh ? (outputs[5] as BigInt64Array) : undefined,
    freshScanned: fresh ? (outputs[6] as BigInt64Array) : undefined,
    tasks: outputs[fresh ? 7 : 5] as Float32Array | undefined,
    width: ordinals.length / batch,
  };
}

/** How many entries of a request's list are real: at most its k, up to the first one that is missing or scores too little. */
export function resultLength(outputs: BatchOutputs, { k, asked, arrangement }: CheckedRequest, b: number): number {
  const begin = b * outputs.width;
  const minScore = arrangement ? Number.NEGATIVE_INFINITY : asked.page.minScore; // which looks at final scores
  const isReal = (at: number) =>
    (outputs.ordinals[at] as number) >= 0 &&
    (minScore === Number.NEGATIVE_INFINITY || (outputs.scores[at] as number) >= minScore);
  let length = 0;
  while (length < k && length < outputs.width && isReal(begin + length)) length++;
  return length;
}

/** @throws SilverlodeError `INVALID_ARGUMENT` where scores are beyond float32; those of a value formula may be. */
function requireFinite(scores: Float32Array, begin: number, length: number, manifest: Manifest): void {
  if (length === 0 || manifest.scored) return;
  // By rank, so that an infinite one or NaN is first or last.
  if (Number.isFinite((scores[begin] as number) - (scores[begin + length - 1] as number))) return;
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    'scores are beyond what float32 holds: the embedding that the tower gives for this user is too large',
    { field: 'user' },
  );
}

export function toResult(outputs: BatchOutputs, request: CheckedRequest, b: number): RetrieveResult {
  const { version, asked, unknown, selected, arrangement } = request;
  const { wanted, offset } = asked.page;
  const listed = resultLength(outputs, request, b);
  requireFinite(outputs.scores, b * outputs.width, listed, version.main.manifest);
  const first = b * outputs.width;
  const list = outputs.ordinals.subarray(first, first + listed);
  const from = offset ?? 0;
  const { ordinals, scores, positions, more } = arrangement
    ? arrangedPage(list, outputs.scores.subarray(first, first + listed), request, arrangement)
    : { ...sliceOf(list, outputs.scores, first, from, wanted), positions: undefined, more: from + wanted < listed };
  const result: RetrieveResult = {
    ids: version.idsAt(ordinals, 0, ordinals.length),
    scores,
    stats: toStats(outputs, request, b),
  };
  if (offset !== undefined && more) result.next = from + wanted;
  if (unknown) result.unknown = [...unknown];
  if (selected) result.items = Array.from(ordinals, (each) => itemAt(version, version.placeAt(each), selected));
  const { tasks } = version.main.manifest;
  if (outputs.tasks && tasks.length > 0) {
    const logits = outputs.tasks;
    result.tasks = Object.fromEntries(
      tasks.map((task, t) => [
        task,
        Float32Array.from(
          ordinals,
          (_, i) => logits[(first + (positions?.[i] ?? from + i)) * tasks.length + t] as number,
        ),
      ]),
    );
  }
  return result;
}

function sliceOf(list: Int32Array, scores: Float32Array, first: number, from: number, wanted: number) {
  const end = Math.min(list.length, from + wanted);
  return { ordinals: list.subarray(from, end), scores: scores.slice(first + from, first + Math.max(from, end)) };
}

function arrangedPage(list: Int32Array, given: Float32Array, { version, asked }: CheckedRequest, how: Arrangement) {
  const { offset = 0, wanted, minScore } = asked.page;
  const end = offset + wanted;
  const { positions: all, scores } = arranged(version, list, given, how, { most: end + 1, minScore });
  const positions = all.slice(offset, end);
  return {
    ordinals: Int32Array.from(positions, (at) => list[at] as number),
    scores: Float32Array.from(positions, (at) => scores[at] as number),
    positions,
    more: all.length > end,
  };
}

/** Clusters are those of the main segment; rows are counted in both. */
function toStats(outputs: BatchOutputs, request: CheckedRequest, b: number): RetrieveStats {
  const { main, mainItems } = request.version;
  const own = (i: number) => Number(outputs.stats[b * outputs.statsWidth + i]);
  const both = (i: number) => own(i) + Number(outputs.freshStats?.[b * 4 + i] ?? 0);
  const eligibleRows = both(1);
  const heads = request.heads;
  let listed = 0;
  for (let h = b * heads; h < (b + 1) * heads; h++) listed = Math.max(listed, outputs.counts[h] as number);
  const stats: RetrieveStats = {
    strategy: strategy(
      main.manifest,
      request.allowedMisses < 0 && listed > request.probes,
      own(2) > 0 && own(2) >= mainItems,
    ),
    probedClusters: own(0),
    scannedRows: Number(outputs.scanned[b]) + Number(outputs.freshScanned?.[b] ?? 0),
    eligibleRows,
    doubtfulRows: both(3),
    candidates: Math.min(request.candidates, eligibleRows),
    exact: request.exact,
  };
  if (request.asked.count) stats.eligibleItems = eligibleRows;
  const { recall } = main.manifest;
  if (outputs.misses && recall && request.allowedMisses >= 0) {
    const misses = (outputs.misses[b] as number) * heads;
    stats.expectedRecall = recallExpected(misses, request.candidates, recall, isNarrowed(request));
  }
  if (!request.exact) stats.falsePositiveRate = both(2) > 0 ? both(3) / both(2) : 0;
  return stats;
}

function strategy(manifest: Manifest, extended: boolean, filteredAll: boolean): RetrieveStats['strategy'] {
  if (manifest.flat) return 'flat';
  if (filteredAll) return 'filter-only';
  return extended ? 'ivf-extended' : 'ivf';
}

/** The error of a request inside a batch. */
export function asError(error: unknown): SilverlodeError {
  if (error instanceof SilverlodeError) return error;
  return new SilverlodeError('INTERNAL', error instanceof Error ? error.message : String(error), {}, { cause: error });
}
