// Program outputs to results.
import { SilverlodeError } from '../errors.js';
import type { CatalogueIds } from './item_ids.js';
import type { Manifest } from './manifest.js';
import type { CheckedRequest } from './requests.js';
import type { RetrieveResult, RetrieveStats } from './types.js';

/** Outputs of a run in the order of `OUTPUTS`, as flat arrays. */
export interface BatchOutputs {
  scores: Float32Array;
  ordinals: Int32Array;
  counts: Int32Array;
  stats: BigInt64Array;
  scanned: BigInt64Array;
  tasks?: Float32Array;
  /** Entries per request. */
  width: number;
}

export function toOutputs(outputs: readonly ArrayBufferView[], batch: number): BatchOutputs {
  const [scores, ordinals, counts, stats, scanned, tasks] = outputs as unknown as [
    Float32Array,
    Int32Array,
    Int32Array,
    BigInt64Array,
    BigInt64Array,
    Float32Array | undefined,
  ];
  return { scores, ordinals, counts, stats, scanned, tasks, width: ordinals.length / batch };
}

/** How many of a request's entries are real: at most its k, up to the first missing one. */
export function resultLength(outputs: BatchOutputs, request: CheckedRequest, b: number): number {
  const begin = b * outputs.width;
  let length = 0;
  while (length < request.k && length < outputs.width && (outputs.ordinals[begin + length] as number) >= 0) length++;
  return length;
}

export function toResult(
  outputs: BatchOutputs,
  request: CheckedRequest,
  b: number,
  model: { readonly manifest: Manifest; readonly ids: CatalogueIds },
): RetrieveResult {
  const begin = b * outputs.width;
  const length = resultLength(outputs, request, b);
  const ids = model.ids.list(outputs.ordinals, begin, begin + length);
  const result: RetrieveResult = {
    ids,
    scores: outputs.scores.slice(begin, begin + length),
    stats: toStats(outputs, request, b, model.manifest),
  };
  const { tasks } = model.manifest;
  if (outputs.tasks && tasks.length > 0) {
    const logits = outputs.tasks;
    result.tasks = Object.fromEntries(
      tasks.map((task, t) => [
        task,
        Float32Array.from({ length }, (_, i) => logits[(begin + i) * tasks.length + t] as number),
      ]),
    );
  }
  return result;
}

function toStats(outputs: BatchOutputs, request: CheckedRequest, b: number, manifest: Manifest): RetrieveStats {
  const stat = (i: number) => Number(outputs.stats[b * 4 + i]);
  const [probedClusters, eligibleRows, filteredRows, doubtfulRows] = [stat(0), stat(1), stat(2), stat(3)];
  const heads = request.heads;
  let listed = 0;
  for (let h = b * heads; h < (b + 1) * heads; h++) listed = Math.max(listed, outputs.counts[h] as number);
  const stats: RetrieveStats = {
    strategy: strategy(manifest, listed > request.probes, filteredRows >= manifest.items),
    probedClusters,
    scannedRows: Number(outputs.scanned[b]),
    eligibleRows,
    doubtfulRows,
    candidates: Math.min(request.candidates, eligibleRows),
    exact: request.exact,
  };
  if (!request.exact) stats.falsePositiveRate = filteredRows > 0 ? doubtfulRows / filteredRows : 0;
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
