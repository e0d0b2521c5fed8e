// Requests as users give them, checked: every check that needs no native work happens here, before any work.
import { requireBoolean, SilverlodeError } from '../errors.js';
import { listedPlan } from '../filter/listed.js';
import type { FilterPlan } from '../filter/plan.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { idsOf, MOST_NAMED, namedIds } from './ask/ids.js';
import { type Liked, likedBy, userOf } from './ask/liked.js';
import { count, invalid } from './ask/numbers.js';
import { type Page, pageOf } from './ask/page.js';
import { embeddingOf, towerInputs } from './ask/user.js';
import { type Arrangement, arrangementOf, type Wishes, wishesOf } from './give/arrange.js';
import { checkSelect, selection } from './give/items.js';
import type { Manifest } from './manifest.js';
import { missesAllowed } from './recall/shares.js';
import { spare } from './recall/spare.js';
import type { ItemId, RetrieveRequest } from './types.js';
import type { Version } from './version.js';

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

type User = Float32Array | ReadonlyMap<string, ArrayLike<number>>;

/** What a request says, whatever the version it is answered from. */
export interface AskedRequest {
  /** float32 [heads, dims], or the tower's inputs by dotted name; undefined where items stand for the user. */
  user: User | undefined;
  /** Items whose vectors, as a version has them, are the user. */
  liked: Liked | undefined;
  heads: number;
  exact: boolean;
  weights: Float32Array;
  /** From the call; Infinity for none. */
  deadlineMs: number;
  asked: {
    page: Page;
    /** Undefined where every candidate is a result. */
    candidates: number | undefined;
    probes: number | undefined;
    recall: number | undefined;
    /** Whether all eligible items are counted. */
    count: boolean;
    minCandidates: number | undefined;
    filter: RetrieveRequest['filter'];
    exclude: readonly ItemId[] | undefined;
    wishes: Wishes | undefined;
    select: readonly string[] | undefined;
    rank: readonly ItemId[] | undefined;
    allow: readonly ItemId[] | undefined;
  };
}

/** A request that has passed every check, as it reads for one version of the catalogue. */
export interface CheckedRequest extends AskedRequest {
  version: Version;
  user: User;
  /** Length of its list, of which its page is a part. */
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
  /** Of a request that ranks: ids that no item has. */
  unknown: readonly ItemId[] | undefined;
  /** What comes back of its items, and how its list is arranged. */
  selected: ReturnType<typeof selection> | undefined;
  arrangement: Arrangement | undefined;
}

const REQUEST_FIELDS = new Set([
  'embedding',
  'user',
  'like',
  'dislike',
  'strategy',
  'rank',
  'allow',
  'filter',
  'k',
  'offset',
  'minScore',
  'groups',
  'boost',
  'diversity',
  'select',
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
    const liked = likedBy(request, manifest);
    const user = this.#user(request, liked);
    const heads = this.#heads(user, liked);
    const rank = request.rank === undefined ? undefined : this.#ranked(request);
    const allow = request.allow === undefined ? undefined : namedIds('allow', request.allow, manifest.ids);
    const wishes = wishesOf(request);
    const select = checkSelect(request.select);
    const page = pageOf(request, limits.maxK, wishes !== undefined, rank && Math.max(1, rank.length));
    const candidates = manifest.scored ? this.#candidates(request, page, rank?.length ?? 0) : noCandidates(request);
    const probes = request.probes === undefined ? undefined : count('probes', request.probes);
    const minCandidates =
      request.minCandidates === undefined ? undefined : count('minCandidates', request.minCandidates);
    const counts = isCounted(request);
    const recall = request.recall === undefined ? undefined : this.#recall(request.recall, probes);
    const exclude = excludedBy(request, liked, manifest.ids);
    const exact = request.exact ?? true;
    const deadlineMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0))
      throw invalid(`deadlineMs must be a number of milliseconds, got ${String(deadlineMs)}`);
    requireBoolean('exact', exact);
    const weights = this.#weights(request.weights);
    const target = counts ? 1 : recall;
    const asked = {
      page,
      candidates,
      probes,
      recall: target,
      count: counts,
      minCandidates,
      filter: request.filter,
      exclude,
      wishes,
      select,
      rank,
      allow,
    };
    return { user, liked, heads, exact, weights, deadlineMs, asked };
  }

  /** The request as it reads for a version: plans, rows, and sizes that its items and clusters bound. */
  place(request: AskedRequest, version: Version): CheckedRequest {
    const { liked, heads, exact, weights, deadlineMs, asked } = request;
    const user = liked ? userOf(liked, version) : (request.user as User);
    const { manifest } = version.main;
    const items = Math.max(1, version.items);
    const k = Math.min(asked.page.depth, items);
    const { plan, freshPlan, unknown } = plansOf(asked, version);
    const excluded = asked.exclude && version.rowsOf(asked.exclude);
    const excludeRows = excluded?.rows;
    const freshExcludeRows = excluded?.freshRows;
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
    const isFew = !manifest.flat && plan !== undefined && (asked.rank !== undefined || plan.atMost <= few);
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
      liked,
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
      unknown,
      selected: asked.select && selection(version, asked.select),
      arrangement: asked.wishes && arrangementOf(asked.wishes, version),
    };
  }

  #user(request: RetrieveRequest, liked: Liked | undefined): User | undefined {
    const { manifest } = this;
    const { embedding, user } = request;
    if (embedding !== undefined && user === undefined && liked === undefined) return embeddingOf(embedding, manifest);
    const given = Number(embedding !== undefined) + Number(user !== undefined) + Number(liked !== undefined);
    if (given > 1) throw invalid("a request has one of 'embedding', 'user' and 'like', not several");
    if (user !== undefined) return towerInputs(user, manifest.tower);
    if (liked) return undefined;
    const tower = manifest.tower === null ? '' : ", 'user' (inputs of the tower)";
    throw invalid(`a request needs 'embedding'${tower} or 'like' (ids of items): there is nothing to score items by`);
  }

  #heads(user: User | undefined, liked: Liked | undefined): number {
    const { dims, heads } = this.manifest;
    if (liked) return liked.strategy === 'best' ? liked.liked.length : 1;
    return isTypedArrayOf(user, Float32Array) ? user.length / dims : (heads ?? 1);
  }

  /** Ids to rank: all of them are scored, so nothing else says how much is. */
  #ranked(request: RetrieveRequest): ItemId[] {
    const field = (['probes', 'recall', 'minCandidates'] as const).find((name) => request[name] !== undefined);
    if (field) throw invalid(`'rank' scores all items that it names, and does not go with '${field}'`, { field });
    return idsOf('rank', request.rank ?? [], this.manifest.ids, MOST_NAMED);
  }

  #candidates({ candidates }: RetrieveRequest, { wanted, offset = 0, depth }: Page, ranked: number): number {
    const { maxCandidates } = this.limits;
    const listed = Math.max(offset + wanted, Math.min(depth, maxCandidates));
    const fallback = Math.max(listed, ranked, defaultCandidates(this.manifest));
    return count('candidates', candidates ?? fallback, maxCandidates);
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

/** Ids that never come back: those that are named, and the items that stand for the user. */
function excludedBy(
  { exclude }: RetrieveRequest,
  liked: Liked | undefined,
  kind: Manifest['ids'],
): readonly ItemId[] | undefined {
  const named = exclude === undefined ? undefined : idsOf('exclude', exclude, kind);
  return liked ? [...(named ?? []), ...liked.liked, ...liked.disliked] : named;
}

/** The filter's plans, narrowed to the items that a request names. */
function plansOf({ filter, rank, allow }: AskedRequest['asked'], version: Version) {
  let { plan, freshPlan } = version.plans(filter);
  let unknown: readonly ItemId[] | undefined;
  if (rank === undefined && allow === undefined) return { plan, freshPlan, unknown };
  for (const ids of [allow, rank]) {
    if (ids === undefined) continue;
    const named = version.rowsOf(ids);
    plan = listedPlan(named.rows, plan);
    freshPlan = version.fresh && listedPlan(named.freshRows, freshPlan);
    if (ids === rank) unknown = named.unknown;
  }
  return { plan, freshPlan, unknown };
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
