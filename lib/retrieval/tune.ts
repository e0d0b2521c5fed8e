// How much must be searched, and how many candidates ranked, for the recall that is wanted: by measurement.
import { requireBoolean, SilverlodeError } from '../errors.js';
import { Progress, type ProgressEvent } from '../index/progress.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { Manifest } from './manifest.js';
import type { RecallOptions } from './measured_recall.js';
import type { IdSet, ItemId, RetrieveRequest, RetrieveResult } from './types.js';

export interface TuneOptions {
  /** float32 [queries, dims], finite; of a model for several embeddings per user [queries, heads · dims]. */
  queries: { data: Float32Array; shape: readonly number[] };
  /** Per query, ids that its lists leave out: what a user has seen, or the item that stands in for one. */
  exclude?: readonly (IdSet | undefined)[];
  /** float32 [items, dims], as published and in publish order: with them the true recall is told too; see `measureRecall`. */
  embeddings?: RecallOptions['embeddings'];
  /** Share of the exhaustive result to reach, in (0, 1], default 0.98. */
  recall?: number;
  /** Length of the lists compared, default 100. */
  k?: number;
  /** Whether a model that reranks gets its candidates tuned too (default), or keeps them. */
  candidates?: boolean;
  /** Candidates of the exhaustive result, and the most that are tried; default: every item, at most 16 384 or 16 k. */
  maxCandidates?: number;
  /** Queries answered, of the stages `reference`, `candidates` and `probes`. */
  onProgress?: (event: ProgressEvent) => void;
  /** Stops at once; the model keeps what it has. */
  signal?: AbortSignal;
}

/** A setting and the mean share of the lists of the exhaustive search of the model that it finds. */
export interface TuneStep {
  /** The recall target of requests, in models that know such, and what requests expected to find with it. */
  target?: number;
  estimated?: number;
  /** Clusters per head; with a target the mean number that requests looked at. */
  probes: number;
  /** Only where candidates were tuned. */
  candidates?: number;
  recall: number;
}

export interface TuneResult extends TuneStep {
  /** With `embeddings`: the mean share of the true lists, of exhaustive float32 search, that the chosen setting finds. */
  trueRecall?: number;
  /** Every setting that was tried. */
  tried: TuneStep[];
}

type Retrieve = (requests: readonly RetrieveRequest[]) => Promise<(RetrieveResult | SilverlodeError)[]>;

/** What the numbers are bounded by. */
interface Bounds {
  items: number;
  /** Candidates that a request may ask for. */
  maxCandidates: number;
}

/** Requests times candidates of one native run: wide runs keep their memory. */
const MAX_PAIRS = 2 ** 18;
const MAX_REQUESTS = 64;
const DEFAULT_MOST = 16_384;

/** Recall targets that are tried: 1 scans all clusters. */
const TARGETS = [
  0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999, 1,
];

/** How much is searched: a recall target, or a number of clusters in models without a target. */
type Effort = Pick<RetrieveRequest, 'recall' | 'probes'>;

/**
 * The lists compared are the final ones, after reranking and value formula. The exhaustive lists come from all clusters and, where
 * candidates are tuned, from `maxCandidates` of them.
 *
 * First the fewest candidates, from all clusters, that lose no more than half of what the target allows, then the least that must be
 * searched to reach the target with these. Each by doubling and then halving the gap, to a sixteenth.
 */
export async function tuneModel(
  retrieve: Retrieve,
  manifest: Manifest,
  bounds: Bounds,
  options: TuneOptions,
): Promise<TuneResult> {
  const { recall = 0.98, k = 100, candidates: wantsCandidates = true, signal } = options;
  const requests = tuneRequests(options, manifest);
  const progress = new Progress(options.onProgress, signal);
  const { clusters } = manifest;
  const tunesCandidates = manifest.scored && wantsCandidates;
  const most = tunesCandidates ? mostCandidates(options, bounds, k) : undefined;
  // A model that was published with a number of probes gets another number.
  const efforts: Effort[] = manifest.recall?.target
    ? TARGETS.map((target) => ({ recall: target }))
    : Array.from({ length: clusters }, (_, i) => ({ probes: i + 1 }));

  const answer = async (stage: string, effort: Effort, candidates: number | undefined): Promise<RetrieveResult[]> => {
    const results: RetrieveResult[] = [];
    const step = Math.max(1, Math.min(MAX_REQUESTS, Math.floor(MAX_PAIRS / (candidates ?? 1))));
    for (let first = 0; first < requests.length; first += step) {
      progress.step(stage, first, requests.length);
      const run = requests.slice(first, first + step);
      for (const result of await retrieve(run.map((request) => ({ ...request, ...effort, candidates })))) {
        if (result instanceof SilverlodeError) throw result;
        results.push(result);
      }
    }
    progress.step(stage, requests.length, requests.length);
    return results;
  };
  const truth = await answer('reference', { probes: clusters }, most);
  const known = new Map<string, TuneStep>();
  const measure = async (stage: string, at: number, candidates: number | undefined): Promise<TuneStep> => {
    const effort = efforts[at] as Effort;
    const name = `${at} ${candidates}`;
    const step = known.get(name) ?? toStep(effort, truth, await answer(stage, effort, candidates), candidates);
    known.set(name, step);
    return step;
  };

  const all = efforts.length - 1;
  const enough = (1 + recall) / 2;
  const candidates =
    most && (await smallest(k, most, async (count) => (await measure('candidates', all, count)).recall >= enough));
  const at = await smallest(0, all, async (effort) => (await measure('probes', effort, candidates)).recall >= recall);
  return { ...(await measure('probes', at, candidates)), tried: [...known.values()] };
}

function toStep(
  { recall: target, probes }: Effort,
  truth: readonly RetrieveResult[],
  found: readonly RetrieveResult[],
  candidates: number | undefined,
): TuneStep {
  const lists = (results: readonly RetrieveResult[]): ItemId[][] => results.map(({ ids }) => ids);
  const mean = (numberOf: (result: RetrieveResult) => number) =>
    found.reduce((sum, result) => sum + numberOf(result), 0) / found.length;
  return {
    ...(target === undefined ? {} : { target, estimated: mean(({ stats }) => stats.expectedRecall ?? 1) }),
    probes: probes ?? Math.max(1, Math.round(mean(({ stats }) => stats.probedClusters))),
    ...(candidates === undefined ? {} : { candidates }),
    recall: recallAgainst(lists(truth), lists(found)),
  };
}

/** The queries one by one, at default settings. @throws SilverlodeError for whatever of the options is wrong. */
export function tuneRequests(
  { queries, exclude, recall = 0.98, k = 100, candidates, maxCandidates }: TuneOptions,
  manifest: Manifest,
): RetrieveRequest[] {
  if (!(recall > 0 && recall <= 1)) throw invalid(`recall must lie in (0, 1], got ${recall}`);
  if (!Number.isInteger(k) || k < 1) throw invalid(`k must be a positive integer, got ${String(k)}`);
  if (candidates !== undefined) requireBoolean('candidates', candidates);
  if (maxCandidates !== undefined && (!Number.isInteger(maxCandidates) || maxCandidates < 1))
    throw invalid(`maxCandidates must be a positive integer, got ${String(maxCandidates)}`);
  const { dims } = manifest;
  const heads = manifest.heads ?? 1;
  const { data, shape } = queries ?? {};
  const count = shape?.[0] ?? 0;
  if (!isTypedArrayOf(data, Float32Array) || count < 1 || data.length !== count * heads * dims) {
    const width = heads === 1 ? `${dims}` : `${heads} x ${dims}`;
    throw new SilverlodeError('SHAPE_MISMATCH', `queries must be float32 [queries, ${width}], at least one`);
  }
  if (exclude !== undefined && exclude.length !== count)
    throw new SilverlodeError('SHAPE_MISMATCH', `exclude has ${exclude.length} entries for ${count} queries`);
  return Array.from({ length: count }, (_, q) => {
    const head = (h: number) => data.slice((q * heads + h) * dims, (q * heads + h + 1) * dims);
    return { embedding: Array.from({ length: heads }, (_, h) => head(h)), k, exclude: exclude?.[q] };
  });
}

function mostCandidates({ maxCandidates }: TuneOptions, bounds: Bounds, k: number): number {
  const wanted = maxCandidates ?? Math.max(DEFAULT_MOST, 16 * k);
  return Math.max(1, Math.min(Math.max(wanted, k), bounds.items, bounds.maxCandidates));
}

/** The least number from `from` to `most` that reaches, found to a sixteenth; `most` is taken to reach. */
async function smallest(from: number, most: number, reaches: (count: number) => Promise<boolean>): Promise<number> {
  let high = Math.min(from, most);
  let low = high - 1;
  while (high < most && !(await reaches(high))) {
    low = high;
    high = Math.min(high * 2 + (high === 0 ? 1 : 0), most);
  }
  while (high - low > Math.max(1, Math.floor(high / 16))) {
    const middle = Math.ceil((low + high) / 2);
    if (await reaches(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Mean share of the entries of true lists that were found. */
export function recallAgainst(truth: readonly ArrayLike<ItemId>[], found: readonly ArrayLike<ItemId>[]): number {
  const shares = truth.map((list, i) => {
    const got = new Set(Array.from(found[i] as ArrayLike<ItemId>));
    return list.length === 0 ? 1 : Array.from(list).filter((id) => got.has(id)).length / list.length;
  });
  return shares.reduce((sum, share) => sum + share, 0) / truth.length;
}

function invalid(message: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message);
}

/** Makes a setting the default of requests. */
export function keepTuned(manifest: Manifest, { probes, target, candidates }: TuneStep): void {
  manifest.probes = probes;
  if (manifest.recall && target !== undefined) manifest.recall = { ...manifest.recall, target };
  if (candidates !== undefined) manifest.candidates = candidates;
}
