// Probes for a recall target, by measurement.
import { SilverlodeError } from '../errors.js';
import type { Manifest } from './manifest.js';
import type { ItemId, RetrieveBatchRequest, RetrieveBatchResult } from './types.js';

export interface TuneOptions {
  /** float32 [queries, dims]. */
  queries: { data: Float32Array; shape: readonly number[] };
  /** Share of the exhaustive result to reach, default 0.98. */
  recall?: number;
  /** Length of the lists compared, default 100. */
  k?: number;
  /** Stops at once; the model keeps its probes. */
  signal?: AbortSignal;
}

export interface TuneResult {
  probes: number;
  /** Recall reached with them. */
  recall: number;
  /** Every setting that was tried. */
  tried: { probes: number; recall: number }[];
}

/** Doubles probes until the target is reached, then halves the gap. All clusters probed is the exhaustive search. */
export async function tuneProbes(
  retrieveBatch: (batch: RetrieveBatchRequest) => Promise<RetrieveBatchResult>,
  manifest: Manifest,
  options: TuneOptions,
): Promise<TuneResult> {
  const { recall = 0.98, k = 100 } = options;
  const { data, shape } = options.queries;
  const count = shape[0] ?? 0;
  if (!(recall > 0 && recall <= 1))
    throw new SilverlodeError('INVALID_ARGUMENT', `recall must lie in (0, 1], got ${recall}`);
  if (!(data instanceof Float32Array) || count < 1 || data.length !== count * manifest.dims) {
    throw new SilverlodeError('SHAPE_MISMATCH', `queries must be float32 [queries, ${manifest.dims}], at least one`);
  }
  const answer = (probes: number) => retrieveBatch({ embeddings: data, count, k, probes });
  const truth = await answer(manifest.clusters);
  const tried: TuneResult['tried'] = [];
  const measure = async (probes: number) => {
    const known = tried.find((entry) => entry.probes === probes);
    if (known) return known.recall;
    const reached = overlap(truth, probes === manifest.clusters ? truth : await answer(probes));
    tried.push({ probes, recall: reached });
    return reached;
  };

  let high = 1;
  while (high < manifest.clusters && (await measure(high)) < recall) high = Math.min(high * 2, manifest.clusters);
  let low = Math.floor(high / 2);
  while (high - low > Math.max(1, Math.floor(high / 16))) {
    const middle = Math.ceil((low + high) / 2);
    if ((await measure(middle)) < recall) low = middle;
    else high = middle;
  }
  return { probes: high, recall: await measure(high), tried };
}

function overlap(truth: RetrieveBatchResult, found: RetrieveBatchResult): number {
  const lists = ({ ids, offsets }: RetrieveBatchResult) =>
    Array.from({ length: offsets.length - 1 }, (_, i) => ids.slice(offsets[i], offsets[i + 1]) as ArrayLike<ItemId>);
  return recallAgainst(lists(truth), lists(found));
}

/** Mean share of the entries of true lists that were found. */
export function recallAgainst(truth: readonly ArrayLike<ItemId>[], found: readonly ArrayLike<ItemId>[]): number {
  const shares = truth.map((list, i) => {
    const got = new Set(Array.from(found[i] as ArrayLike<ItemId>));
    return list.length === 0 ? 1 : Array.from(list).filter((id) => got.has(id)).length / list.length;
  });
  return shares.reduce((sum, share) => sum + share, 0) / truth.length;
}
