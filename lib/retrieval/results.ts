// Program outputs to results.
import { SilverlodeError } from '../errors.js';
import { type Arrangement, arranged } from './give/arrange.js';
import { itemAt, type SelectedItem } from './give/items.js';
import type { Manifest } from './manifest.js';
import { recallExpected } from './recall/shares.js';
import { type CheckedRequest, isNarrowed } from './requests.js';
import type { RetrieveResult, RetrieveStats } from './types.js';
import type { Version } from './version.js';

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
  const most = Math.min(k, outputs.width);
  let length = 0;
  while (length < most && (outputs.ordinals[begin + length] as number) >= 0) length++;
  // By rank, so that those which score too little come last; NaN is one of them.
  if (minScore !== Number.NEGATIVE_INFINITY)
    while (length > 0 && !((outputs.scores[begin + length - 1] as number) >= minScore)) length--;
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
  const first = b * outputs.width;
  requireFinite(outputs.scores, first, listed, version.main.manifest);
  if (arrangement) return arrangedResult(outputs, request, b, arrangement, listed);
  const begin = first + Math.min(offset ?? 0, listed);
  const end = Math.min(first + listed, begin + wanted);
  const result: RetrieveResult = {
    ids: version.idsAt(outputs.ordinals, begin, end),
    scores: outputs.scores.slice(begin, end),
    stats: toStats(outputs, request, b),
  };
  if (offset !== undefined && end < first + listed) result.next = end - first;
  if (unknown) result.unknown = [...unknown];
  if (selected) result.items = itemsAt(version, outputs.ordinals.subarray(begin, end), selected);
  if (outputs.tasks) addTasks(result, outputs.tasks, version, (i) => begin + i);
  return result;
}

/** The page of a list that is arranged once more. */
function arrangedResult(
  outputs: BatchOutputs,
  request: CheckedRequest,
  b: number,
  arrangement: Arrangement,
  listed: number,
): RetrieveResult {
  const { version, asked, unknown, selected } = request;
  const { offset = 0, wanted, minScore } = asked.page;
  const first = b * outputs.width;
  const list = outputs.ordinals.subarray(first, first + listed);
  const most = offset + wanted + 1;
  const given = outputs.scores.subarray(first, first + listed);
  const { positions: all, scores } = arranged(version, list, given, arrangement, { most, minScore });
  const positions = all.slice(offset, offset + wanted);
  const ordinals = Int32Array.from(positions, (at) => list[at] as number);
  const result: RetrieveResult = {
    ids: version.idsAt(ordinals, 0, ordinals.length),
    scores: Float32Array.from(positions, (at) => scores[at] as number),
    stats: toStats(outputs, request, b),
  };
  if (asked.page.offset !== undefined && all.length === most) result.next = offset + wanted;
  if (unknown) result.unknown = [...unknown];
  if (selected) result.items = itemsAt(version, ordinals, selected);
  if (outputs.tasks) addTasks(result, outputs.tasks, version, (i) => first + (positions[i] as number));
  return result;
}

function itemsAt(version: Version, ordinals: Int32Array, selected: CheckedRequest['selected'] & {}): SelectedItem[] {
  return Array.from(ordinals, (each) => itemAt(version, version.placeAt(each), selected));
}

/** @param entry Of result `i`. */
function addTasks(result: RetrieveResult, logits: Float32Array, { main }: Version, entry: (i: number) => number): void {
  const { tasks } = main.manifest;
  if (tasks.length === 0) return;
  const { length } = result.ids;
  result.tasks = Object.fromEntries(
    tasks.map((task, t) => [
      task,
      Float32Array.from({ length }, (_, i) => logits[entry(i) * tasks.length + t] as number),
    ]),
  );
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
