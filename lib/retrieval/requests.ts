// Requests as users give them, checked: every check that needs no native work happens here, before any work.
import { requireBoolean, SilverlodeError } from '../errors.js';
import type { FilterPlan } from '../filter/plan.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { requireExact } from '../tensor/exact.js';
import { isDetached, isTypedArray, isTypedArrayOf } from '../tensor/typed_array.js';
import { LARGEST_IN_QUERIES, rangeFault } from './check_items.js';
import type { Manifest } from './manifest.js';
import { missesAllowed } from './recall/shares.js';
import { spare } from './recall/spare.js';
import type { IdSet, ItemId, RetrieveRequest } from './types.js';
import type { Version } from './version.js';

const DEFAULT_K = 100;
const DEFAULT_CANDIDATES = 1000;

/** Scoring and ranking one centroid costs about as much as scoring this many scattered rows (bench/README.md). */
const ROWS_PER_CENTROID = 4;
/** Instead of probes: every cluster with an eligible row, without looking at centroids; see native/ops/ivf_probe.h. */
const EVERY_CLUSTER = 0;

/** Rows that satisfy a filter that a request with a recall target sees at least, per candidate: where there are few, all. */
const ELIGIBLE_PER_CANDIDATE = 3;
/** Instead of allowed misses: a number of probes decides. */
const NO_TARGET = -1;

const NO_WEIGHTS = new Float32Array(0);

/** Whether not all items are open to a request. */
export function isNarrowed({
  plan,
  freshPlan,
  excludeRows,
}: Pick<CheckedRequest, 'plan' | 'freshPlan' | 'excludeRows'>): boolean {
  return plan !== undefined || freshPlan !== undefined || (excludeRows !== undefined && excludeRows.length > 0);
}

/** Largest sizes a loaded model accepts. */
export interface RequestLimits {
  maxBatch: number;
  maxK: number;
  maxCandidates: number;
}

/** What a request says, whatever the version it is answered from. */
export interface AskedRequest {
  /** float32 [heads, dims], or the tower's inputs by dotted name. */
  user: Float32Array | ReadonlyMap<string, ArrayLike<number>>;
  heads: number;
  exact: boolean;
  weights: Float32Array;
  /** From the call; Infinity for none. */
  deadlineMs: number;
  asked: {
    k: number;
    /** Undefined where every candidate is a result. */
    candidates: number | undefined;
    probes: number | undefined;
    recall: number | undefined;
    /** Whether all eligible items are counted. */
    count: boolean;
    minCandidates: number | undefined;
    filter: RetrieveRequest['filter'];
    exclude: readonly ItemId[] | undefined;
  };
}

/** A request that has passed every check, as it reads for one version of the catalogue. */
export interface CheckedRequest extends AskedRequest {
  version: Version;
  k: number;
  candidates: number;
  /** 0 for every cluster with an eligible row; with a recall target how many are expected. */
  probes: number;
  /** Items of its true list that it may expect to miss; negative without a recall target. */
  allowedMisses: number;
  minCandidates: number;
  /** Plans and rows to exclude, of the main and of the fresh segment. */
  plan: FilterPlan | undefined;
  excludeRows: Int32Array | undefined;
  freshPlan: FilterPlan | undefined;
  freshExcludeRows: Int32Array | undefined;
}

const REQUEST_FIELDS = new Set([
  'embedding',
  'user',
  'filter',
  'k',
  'candidates',
  'probes',
  'recall',
  'count',
  'minCandidates',
  'exact',
  'weights',
  'exclude',
  'deadlineMs',
]);

/** Checks requests against one model. */
export class RequestChecker {
  /** @param current The version to answer from; what a model takes is the same in all of them. */
  constructor(
    private readonly current: () => Version,
    private readonly limits: RequestLimits,
  ) {}

  private get manifest(): Manifest {
    return this.current().main.manifest;
  }

  /** @throws SilverlodeError with the code that fits. */
  check(request: RetrieveRequest): CheckedRequest {
    return this.place(this.ask(request), this.current());
  }

  /** Everything about a request that does not depend on the version; nothing of it is the caller's any more but the filter. */
  ask(request: RetrieveRequest): AskedRequest {
    if (typeof request !== 'object' || request === null) throw invalid('a request must be an object');
    for (const name of Object.keys(request)) {
      if (!REQUEST_FIELDS.has(name))
        throw invalid(`unknown request field '${name}'; known: ${[...REQUEST_FIELDS].join(', ')}`, { field: name });
    }
    const { manifest, limits } = this;
    if ((request.embedding === undefined) === (request.user === undefined)) {
      throw invalid("a request needs either 'embedding' or 'user'");
    }
    const user = request.embedding !== undefined ? this.#embedding(request.embedding) : this.#towerInputs(request.user);
    const heads = isTypedArrayOf(user, Float32Array) ? user.length / manifest.dims : (manifest.heads ?? 1);
    const k = count('k', request.k ?? DEFAULT_K, limits.maxK);
    const candidates = manifest.scored
      ? count('candidates', request.candidates ?? Math.max(k, defaultCandidates(manifest)), limits.maxCandidates)
      : noCandidates(request);
    const probes = request.probes === undefined ? undefined : count('probes', request.probes);
    const minCandidates =
      request.minCandidates === undefined ? undefined : count('minCandidates', request.minCandidates);
    const counts = isCounted(request);
    const recall = request.recall === undefined ? undefined : this.#recall(request.recall, probes);
    const exclude = request.exclude === undefined ? undefined : toList(request.exclude, manifest.ids);
    const exact = request.exact ?? true;
    const deadlineMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0))
      throw invalid(`deadlineMs must be a number of milliseconds, got ${String(deadlineMs)}`);
    requireBoolean('exact', exact);
    const weights = this.#weights(request.weights);
    const target = counts ? 1 : recall;
    const asked = {
      k,
      candidates,
      probes,
      recall: target,
      count: counts,
      minCandidates,
      filter: request.filter,
      exclude,
    };
    return { user, heads, exact, weights, deadlineMs, asked };
  }

  /** The request as it reads for a version: plans, rows, and sizes that its items and clusters bound. */
  place(request: AskedRequest, version: Version): CheckedRequest {
    const { user, heads, exact, weights, deadlineMs, asked } = request;
    const { manifest } = version.main;
    const items = Math.max(1, version.items);
    const k = Math.min(asked.k, items);
    const { plan, freshPlan } = version.plans(asked.filter);
    const { excludeRows, freshExcludeRows } = version.rowsOf(asked.exclude);
    const wanted = asked.candidates ?? (manifest.rescored ? k + spare(k, excludeRows?.length ?? 0) : k);
    const candidates = Math.min(Math.max(wanted, k), items);
    const target = asked.probes === undefined ? (asked.recall ?? manifest.recall?.target ?? null) : null;
    // Nothing may be missed: all clusters are scanned.
    const isAdaptive = manifest.recall !== undefined && target !== null && target < 1;
    const nearest = target === 1 ? manifest.clusters : Math.min(asked.probes ?? manifest.probes, manifest.clusters);
    // With probes the candidates; under a filter half as many eligible rows as an unfiltered request would scan, which keeps the
    // recall that the probes were chosen for (measured from 50 % to 0.1 % selectivity, bench/README.md).
    const isFiltered = plan !== undefined || freshPlan !== undefined;
    const reach = Math.max(candidates, Math.round((nearest * manifest.clusterRows) / 2));
    const several = isFiltered ? ELIGIBLE_PER_CANDIDATE * candidates : candidates;
    const enough = isFiltered && !isAdaptive ? reach : several;
    const minCandidates = Math.min(Math.max(asked.minCandidates ?? enough, candidates), items);
    // Where few are eligible, all of them are scored in less time than the nearest clusters are found.
    const few = minCandidates + (asked.minCandidates === undefined ? ROWS_PER_CENTROID * manifest.clusters : 0);
    const isFew = !manifest.flat && plan !== undefined && plan.atMost <= few;
    const probes = isFew ? EVERY_CLUSTER : nearest;
    const { recall } = manifest;
    const narrowed = isNarrowed({ plan, freshPlan, excludeRows });
    // The list of a request takes the best of every head, so what any of them misses is missing there.
    const allowedMisses =
      recall && target !== null && target < 1 && !isFew
        ? missesAllowed(candidates, target, recall, narrowed) / heads
        : NO_TARGET;
    // Field by field: with spread operators every request gets a hidden class of its own, which makes each access to it slow.
    return {
      user,
      heads,
      exact,
      weights,
      deadlineMs,
      asked,
      version,
      k,
      candidates,
      probes,
      allowedMisses,
      minCandidates,
      plan,
      excludeRows,
      freshPlan,
      freshExcludeRows,
    };
  }

  #recall(recall: number, probes: number | undefined): number {
    if (!(recall > 0 && recall <= 1))
      throw invalid(`recall must lie in (0, 1], got ${String(recall)}`, { field: 'recall' });
    if (probes !== undefined)
      throw invalid("a request has either 'recall' or 'probes': probes fix the clusters that recall would choose", {
        field: 'recall',
      });
    const { flat, recall: facts } = this.manifest;
    if (facts === undefined && !flat && recall < 1)
      throw new SilverlodeError(
        'UNSUPPORTED_VERSION',
        'the model is from a version that knew no recall targets; publish it again',
        { field: 'recall' },
      );
    return recall;
  }

  #embedding(embedding: Float32Array | readonly Float32Array[]): Float32Array {
    const { dims, heads } = this.manifest;
    const list = isTypedArrayOf(embedding, Float32Array) ? [embedding] : embedding;
    if (!Array.isArray(list) || list.length === 0 || list.some((head) => !isTypedArrayOf(head, Float32Array))) {
      throw new SilverlodeError('UNSUPPORTED_DTYPE', 'embedding must be a Float32Array or a list of them');
    }
    if (heads !== null && list.length !== heads) {
      throw new SilverlodeError('SHAPE_MISMATCH', `the model takes ${heads} embedding(s) per user, got ${list.length}`);
    }
    const flat = new Float32Array(list.length * dims);
    list.forEach((head: Float32Array, h) => {
      if (head.length !== dims)
        throw new SilverlodeError('SHAPE_MISMATCH', `embedding has ${head.length} dimensions, the model ${dims}`);
      flat.set(head, h * dims);
    });
    for (let i = 0; i < flat.length; i++) {
      const fault = rangeFault(flat[i] as number, LARGEST_IN_QUERIES);
      if (fault !== undefined) throw invalid(`embedding holds ${fault}`, { field: 'embedding' });
    }
    return flat;
  }

  #towerInputs(user: RetrieveRequest['user']): Map<string, ArrayLike<number>> {
    const specs = this.manifest.tower;
    if (specs === null) throw invalid("this model has no tower: give 'embedding' instead of 'user'");
    if (typeof user !== 'object' || user === null) throw invalid('user must be an object of tower inputs');
    const values = new Map<string, ArrayLike<number>>();
    for (const name of Object.keys(user)) {
      if (!(name in specs))
        throw invalid(`the tower has no input '${name}'; it takes ${Object.keys(specs).join(', ')}`, { field: name });
    }
    for (const [name, spec] of Object.entries(specs)) {
      const value = user[name];
      if (value === undefined) throw invalid(`user.${name} is missing`, { field: name });
      const list = typeof value === 'number' ? [value] : value;
      if (!isNumberList(list)) throw invalid(`user.${name} must hold numbers`, { field: name });
      requireExact(`user.${name}`, list, raggedSpec(spec)?.dtype ?? (spec as InputSpec).dtype);
      const size = denseSize(spec);
      if (size !== undefined && list.length !== size) {
        throw new SilverlodeError(
          'SHAPE_MISMATCH',
          `user.${name} has ${list.length} numbers, the tower takes ${size}`,
          { field: name },
        );
      }
      values.set(name, (list as number[] | Float32Array).slice()); // the caller may change its list while an earlier run is under way
    }
    return values;
  }

  #weights(weights: RetrieveRequest['weights']): Float32Array {
    const slots = this.manifest.weights;
    if (slots.length === 0 && weights === undefined) return NO_WEIGHTS;
    for (const [name, value] of Object.entries(weights ?? {})) {
      if (!slots.some((slot) => slot.name === name))
        throw invalid(`the value formula has no weight '${name}'`, { field: name });
      if (typeof value !== 'number') throw invalid(`weights.${name} must be a number`, { field: name });
    }
    return Float32Array.from(slots, (slot) => weights?.[slot.name] ?? slot.default);
  }
}

/** Candidates of a request that names none and wants no more results. */
export function defaultCandidates({ candidates = DEFAULT_CANDIDATES }: Manifest): number {
  return candidates;
}

/** What a model neither reranks nor values has no candidates to count. */
function noCandidates({ candidates }: RetrieveRequest): undefined {
  if (candidates !== undefined)
    throw invalid('the model neither reranks nor values: it takes no candidates', { field: 'candidates' });
}

const shown = (id: unknown): string => (typeof id === 'string' ? JSON.stringify(id) : String(id));

/** Copied: the caller may change it, or it can be read once only. */
function toList(exclude: IdSet, kind: Manifest['ids']): readonly ItemId[] {
  const iterable = typeof (exclude as { [Symbol.iterator]?: unknown })?.[Symbol.iterator] === 'function';
  if (!iterable || typeof exclude === 'string' || isDetached(exclude))
    throw invalid('exclude must be a list, typed array or Set of ids');
  const ids = [...exclude];
  const wrong = ids.findIndex((id) => typeof id !== kind || (kind === 'number' && !Number.isSafeInteger(id)));
  if (wrong < 0) return ids;
  throw invalid(
    `exclude holds ${shown(ids[wrong])}: ids of this model are ${kind === 'number' ? 'integers' : `${kind}s`}`,
    {
      field: 'exclude',
    },
  );
}

/** Numbers per request of a dense tower input; undefined for one of variable length. */
function denseSize(spec: InputSpec | InputSpecs): number | undefined {
  if (raggedSpec(spec)) return undefined;
  return (spec as InputSpec).shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
}

/** Values of an input of variable length; undefined for a dense one. */
export function raggedSpec(spec: InputSpec | InputSpecs): InputSpec | undefined {
  return 'values' in spec ? (spec.values as InputSpec) : undefined;
}

function isNumberList(list: unknown): list is ArrayLike<number> {
  if (ArrayBuffer.isView(list))
    return (
      isTypedArray(list) &&
      !isDetached(list) &&
      !isTypedArrayOf(list, BigInt64Array) &&
      !isTypedArrayOf(list, BigUint64Array)
    );
  return Array.isArray(list) && list.every((value) => typeof value === 'number');
}

function count(name: string, value: number, limit = 2 ** 31 - 1): number {
  if (!Number.isInteger(value) || value < 1)
    throw invalid(`${name} must be a positive integer, got ${String(value)}`, { field: name });
  if (value > limit)
    throw new SilverlodeError('LIMIT_EXCEEDED', `${name} is ${value}, the model was loaded for at most ${limit}`, {
      field: name,
    });
  return value;
}

function invalid(message: string, details: Record<string, unknown> = {}): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, details);
}

/** Whether a request counts all eligible items, which it cannot do where it looks at some of them alone. */
function isCounted({ count: counts = false, recall, probes, exact }: RetrieveRequest): boolean {
  requireBoolean('count', counts, { field: 'count' });
  if (!counts) return false;
  const other = Object.entries({
    probes,
    recall: recall === 1 ? undefined : recall,
    exact: exact === false || undefined,
  });
  const field = other.find(([, value]) => value !== undefined)?.[0];
  if (field === undefined) return true;
  throw invalid(`'count' looks at all that is eligible, and does not go with '${field}'`, { field });
}
