// Recall of requests against exhaustive float32 search of the embeddings that a model was published from.
import { SilverlodeError } from '../errors.js';
import type { FilterPlan } from '../filter/plan.js';
import { halfNorm } from '../index/ivf_index.js';
import { Progress, type ProgressEvent } from '../index/progress.js';
import { shareFound, type TrueList, Truth } from '../index/truth.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { Answer } from './answer.js';
import type { MainSegment } from './main_segment.js';
import type { CheckedRequest } from './requests.js';
import type { ItemId, RetrieveRequest } from './types.js';
import type { Version } from './version.js';

export interface RecallOptions {
  /** float32 [items, dims]: the embeddings that were published, in publish order. A model file does not hold them. */
  embeddings: { data: Float32Array; shape: readonly number[] };
  /** Stages `truth` and `answers`. */
  onProgress?: (event: ProgressEvent) => void;
  signal?: AbortSignal;
}

/** What requests reach, over those for which anything is eligible. */
export interface MeasuredRecall {
  /** Mean share of the true lists that came back; an item counts when its true score is at least that of the last of its list. */
  recall: number;
  /** The share of the request that a tenth of the others do not reach. */
  worstTenth: number;
  /** The same mean for the exhaustive int8 search: what is missing from 1 is lost by the int8 rows, not by the clusters. */
  int8Recall: number;
  requests: number;
}

/** Answers requests; those of one call in one version. */
type AnswerAll = (requests: readonly RetrieveRequest[]) => Promise<Answer[]>;

const MAX_REQUESTS = 64;

/** @param requests As given, and as they read for `version`. */
export async function measureRecall(
  version: Version,
  requests: readonly RetrieveRequest[],
  checked: readonly CheckedRequest[],
  answer: AnswerAll,
  { embeddings, onProgress, signal }: RecallOptions,
): Promise<MeasuredRecall> {
  const { main } = version;
  const { metric, clusters } = main.manifest;
  if (requests.length === 0) throw invalid('recall needs at least one request');
  if (checked.some(({ user }) => !isTypedArrayOf(user, Float32Array)))
    throw invalid('true recall is measured of requests by embedding');
  const truth = new Truth(requireEmbeddings(embeddings, version), metric, priorsOf(main));
  const progress = new Progress(onProgress, signal);
  const lists = await trueLists(truth, main, checked, progress);
  const shares = async (stage: string, more: Partial<RetrieveRequest>): Promise<number[]> => {
    const found: (number | undefined)[] = [];
    for (let first = 0; first < requests.length; first += MAX_REQUESTS) {
      progress.step(stage, first, requests.length);
      const some = requests.slice(first, first + MAX_REQUESTS).map((request) => ({ ...request, ...more }));
      for (const [i, result] of (await answer(some)).entries()) {
        if (result instanceof SilverlodeError) throw result;
        const rows = result.ids.map((id: ItemId) => main.ids.ordinalOf(id) as number);
        const request = checked[first + i] as CheckedRequest;
        found.push(shareFound(lists[first + i] as TrueList, request.k, rows, truth.scorer(headsOf(request))));
      }
    }
    return found.filter((share) => share !== undefined);
  };
  const reached = (await shares('answers', {})).sort((a, b) => a - b);
  const exhaustive = await shares('int8', { probes: clusters });
  if (reached.length === 0) throw invalid('no item is eligible for any of the requests');
  return {
    recall: mean(reached),
    worstTenth: reached[Math.floor(reached.length / 10)] as number,
    int8Recall: mean(exhaustive),
    requests: reached.length,
  };
}

/** The true lists of requests, those with the same filter at once. */
async function trueLists(
  truth: Truth,
  main: MainSegment,
  requests: readonly CheckedRequest[],
  progress: Progress,
): Promise<TrueList[]> {
  const lists = new Array<TrueList>(requests.length);
  const groups = new Map<string, number[]>();
  for (const [i, { plan }] of requests.entries())
    groups.set(plan?.key ?? '', [...(groups.get(plan?.key ?? '') ?? []), i]);
  let done = 0;
  for (const members of groups.values()) {
    const plan = requests[members[0] as number]?.plan;
    const eligible = plan && (await eligibleItems(main, plan));
    const some = members.map((i) => requests[i] as CheckedRequest);
    const depth = Math.max(...some.map(({ k, excludeRows }) => k + (excludeRows?.length ?? 0)));
    const onRows = (rows: number, total: number) =>
      progress.step('truth', done + (members.length * rows) / total, requests.length);
    const found = await truth.lists(some.map(headsOf), { depth, eligible, onRows });
    for (const [at, i] of members.entries())
      lists[i] = without(found[at] as TrueList, some[at] as CheckedRequest, main);
    done += members.length;
  }
  return lists;
}

/** The first k of a list but for what a request excludes. */
function without(list: TrueList, { k, excludeRows }: CheckedRequest, main: MainSegment): TrueList {
  const ordinals = main.tensor('index.ordinals').view() as Int32Array;
  const excluded = new Set(Array.from(excludeRows ?? [], (row) => ordinals[row]));
  const kept = Array.from(list.rows.keys()).filter((at) => !excluded.has(list.rows[at] as number));
  kept.splice(k);
  return {
    rows: Int32Array.from(kept, (at) => list.rows[at] as number),
    scores: Float64Array.from(kept, (at) => list.scores[at] as number),
  };
}

/** Ordinals of the items that a filter lets through, ascending. */
async function eligibleItems(main: MainSegment, plan: FilterPlan): Promise<Int32Array> {
  const mask = await main.eligible.mask([plan], main.tensor('index.live'));
  const ordinals = main.tensor('index.ordinals').view() as Int32Array;
  const words = mask.view();
  const bits = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const eligible = ordinals.filter((_, row) => ((bits[row >> 3] as number) >> (row & 7)) & 1);
  mask.dispose();
  return eligible.sort();
}

/** What priors add to the scores of items, by ordinal; undefined where there are none. Of distances they count twice: see `IvfOptions`. */
function priorsOf(main: MainSegment): Float64Array | undefined {
  const { metric } = main.manifest;
  const bias = main.tensors.get('index.rowBias')?.view() as Float32Array | undefined;
  if (bias === undefined) return undefined;
  if (metric !== 'l2') return Float64Array.from(main.rowOf, (row) => bias[row] as number);
  const rows = main.tensor('index.rows').view() as Int8Array;
  const width = main.tensor('index.rows').shape[1] as number;
  const scales = main.tensor('index.rowScales').view() as Float32Array;
  return Float64Array.from(main.rowOf, (row) => {
    const own = halfNorm(rows, row, width, scales[row] as number);
    return bias[row] === Math.fround(own) ? 0 : 2 * ((bias[row] as number) - own);
  });
}

const headsOf = ({ user, heads }: CheckedRequest): Float32Array[] => {
  const flat = user as Float32Array;
  const dims = flat.length / heads;
  return Array.from({ length: heads }, (_, head) => flat.subarray(head * dims, (head + 1) * dims));
};

/** The embeddings as rows to score. @throws SilverlodeError where they cannot be those of the model's items. */
export function requireEmbeddings(embeddings: RecallOptions['embeddings'], version: Version): Truth['rows'] {
  const { items, dims, scored } = version.main.manifest;
  if (scored) throw invalid('embeddings tell the true order of a search; the lists of this model are ranked again');
  if (version.fresh !== undefined || version.items !== items)
    throw invalid('the model has changed since it was published: compact it, and give the embeddings of its items');
  const { data, shape } = embeddings ?? {};
  if (!isTypedArrayOf(data, Float32Array) || shape?.length !== 2 || shape[0] !== items || shape[1] !== dims)
    throw new SilverlodeError('SHAPE_MISMATCH', `embeddings must be float32 [${items}, ${dims}], as published`);
  if (data.length !== items * dims)
    throw new SilverlodeError('SHAPE_MISMATCH', `embeddings hold ${data.length} numbers, not ${items} x ${dims}`);
  return { data: data as Truth['rows']['data'], shape: [items, dims] };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function invalid(message: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message);
}
