// How good a model's lists are for people whose later choices are known.
import { requireKnown, SilverlodeError } from '../errors.js';
import type { ProgressEvent } from '../index/progress.js';
import { count } from './ask/numbers.js';
import type { RetrievalModel } from './model.js';
import type { ItemId, RetrieveRequest, RetrieveResult } from './types.js';

/** One person: what is asked for them, and what they chose later. */
export interface Interaction {
  /** `k` is that of the evaluation; what is excluded does not count as missed. */
  request: Omit<RetrieveRequest, 'k' | 'offset'>;
  /** Ids of the items that were held out; those that the model does not have cannot be found. */
  held: readonly ItemId[];
}

export interface EvaluateOptions {
  /** Length of the lists; default 20. */
  k?: number;
  signal?: AbortSignal;
  onProgress?: (event: ProgressEvent) => void;
}

/** Means over all people with at least one item held out. */
export interface Evaluation {
  k: number;
  people: number;
  /** Share of the items held out that are in the list; of min(k, items held out) where these are more. */
  recall: number;
  /** Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002): gain 1, discount log2(rank + 1). */
  ndcg: number;
  /** Share of people for whom at least one item was found. */
  hits: number;
  /** Share of the model's items that came up for anybody. */
  coverage: number;
  /** One minus the mean cosine between the vectors of two items of a list, of its first 20. */
  diversity: number;
  /** Items held out that the model does not have. */
  unknown: number;
}

const BATCH = 64;
const COMPARED = 20;

/**
 * Retrieves for everybody and compares with what they chose.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` without anybody, whatever a request fails with, naming the `person`; `ABORTED`.
 * @example
 * ```ts
 * const { recall, ndcg } = await evaluate(model, [{ request: { like: ['a', 'b'] }, held: ['c'] }], { k: 20 });
 * ```
 */
export async function evaluate(
  model: RetrievalModel,
  interactions: Iterable<Interaction> | AsyncIterable<Interaction>,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  requireKnown('evaluate options', options, ['k', 'signal', 'onProgress']);
  const { signal, onProgress } = options;
  const k = count('k', options.k ?? 20);
  const seen = new Set<ItemId>();
  const sums = { recall: 0, ndcg: 0, hits: 0, diversity: 0, unknown: 0 };
  let [people, compared] = [0, 0];
  const judge = async (some: readonly Interaction[]) => {
    const results = await model.retrieve(
      some.map(({ request }) => ({ ...request, k })),
      { signal },
    );
    const known = await model.get(
      some.flatMap(({ held }) => held),
      { select: [] },
    );
    sums.unknown += known.filter((item) => item === null).length;
    for (const [i, { held }] of some.entries()) {
      const { ids } = requireResult(results[i] as RetrieveResult | SilverlodeError, people + i);
      const found = ids.map((id) => held.includes(id));
      const most = Math.min(k, held.length);
      sums.recall += found.filter(Boolean).length / most;
      sums.ndcg += gain(found) / gain(new Array<boolean>(most).fill(true));
      sums.hits += Number(found.includes(true));
      for (const id of ids) seen.add(id);
      const unlike = await differenceWithin(model, ids.slice(0, COMPARED));
      if (unlike !== undefined) [sums.diversity, compared] = [sums.diversity + unlike, compared + 1];
    }
    people += some.length;
    onProgress?.({ stage: 'evaluate', done: people, total: people });
  };
  let batch: Interaction[] = [];
  for await (const each of interactions) {
    if (each.held.length === 0) continue;
    batch.push(each);
    if (batch.length < BATCH) continue;
    await judge(batch);
    batch = [];
  }
  if (batch.length > 0) await judge(batch);
  if (people === 0) throw new SilverlodeError('INVALID_ARGUMENT', 'nobody has an item held out');
  return {
    k,
    people,
    recall: sums.recall / people,
    ndcg: sums.ndcg / people,
    hits: sums.hits / people,
    coverage: seen.size / Math.max(1, model.items),
    diversity: compared === 0 ? 0 : sums.diversity / compared,
    unknown: sums.unknown,
  };
}

function requireResult(result: RetrieveResult | SilverlodeError, person: number): RetrieveResult {
  if (!(result instanceof SilverlodeError)) return result;
  throw new SilverlodeError(result.code, `person ${person}: ${result.message}`, { ...result, person });
}

function gain(found: readonly boolean[]): number {
  return found.reduce((sum, is, i) => sum + (is ? 1 / Math.log2(i + 2) : 0), 0);
}

/** Undefined of fewer than two items. */
async function differenceWithin(model: RetrievalModel, ids: readonly ItemId[]): Promise<number | undefined> {
  if (ids.length < 2) return undefined;
  const items = await model.get(ids, { select: [], vectors: true });
  const units = items.flatMap((item) => (item ? [unit(item.vector as Float32Array)] : []));
  let [sum, pairs] = [0, 0];
  for (const [i, a] of units.entries()) {
    for (const b of units.slice(i + 1)) {
      for (let d = 0; d < a.length; d++) sum += (a[d] as number) * (b[d] as number);
      pairs++;
    }
  }
  return pairs === 0 ? undefined : 1 - sum / pairs;
}

function unit(vector: Float32Array): Float64Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) || 1;
  return Float64Array.from(vector, (value) => value / length);
}
