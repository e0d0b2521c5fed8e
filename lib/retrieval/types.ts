// What users give to and get from a retrieval model.
import type { FilterExpr } from '../filter/ast.js';
import type { SelectedItem } from './give/items.js';

/** Item ids come back in the type that was published. */
export type ItemId = string | number | bigint;

/** Ids as they are published; unique. */
export type ItemIds = readonly string[] | Int32Array | readonly number[] | BigInt64Array | readonly bigint[];

/** Any collection of ids; unknown ones are ignored. */
export type IdSet = Iterable<ItemId>;

/** One retrieval request. */
export interface RetrieveRequest {
  /** The user as an embedding float32 [dims], or one per head. */
  embedding?: Float32Array | readonly Float32Array[];
  /** The user as inputs of the model's tower; lists for inputs of variable length. */
  user?: Readonly<Record<string, ArrayLike<number> | number>>;
  /**
   * In place of an embedding: ids of items whose vectors stand for the user, as the model holds them (float rows where it keeps
   * some, else int8; of length 1 under `cosine`). They and the disliked ones are not returned. An id that no item has is an error.
   */
  like?: IdSet;
  /** With `like`: ids of items to keep away from. */
  dislike?: IdSet;
  /**
   * `mean` (default): the mean of the liked vectors minus the mean of the disliked ones; under `l2` twice the mean of the liked ones
   * minus that. `best`: each of at most 64 liked vectors is a head of its own, and an item scores by the nearest of them.
   */
  strategy?: 'mean' | 'best';
  /**
   * Ids of the only items that are scored and ranked, at most 131 072, whatever their cluster; `k` is their number then, unless it is
   * given. Filter and `exclude` hold for them too. Ids that no item has come back as `unknown`.
   */
  rank?: IdSet;
  /**
   * Ids of the only items that may come back, at most 131 072; ids that no item has are ignored. A `Uint8Array` is a bitmap of
   * integer ids in Roaring's portable format.
   */
  allow?: IdSet | Uint8Array;
  /** Text or tree; only items that satisfy it are returned, exactly. */
  filter?: string | FilterExpr;
  /** Results wanted; default 100. Fewer come back only when fewer items are eligible. */
  k?: number;
  /**
   * Results of the list that are left out before the first one; 0 for the first of several pages. Pages of one version fit together as
   * far as they lie within the first 1 000 results, or 10 000, and so on, to which depth each of them is searched.
   */
  offset?: number;
  /** Results whose final score is less, or NaN, are left out. */
  minScore?: number;
  /**
   * At most `limit` results of the same value of `field`, an attribute of one value; items without a value are not limited. Chosen from the
   * best down, after the value formula, among the first 1 000 items of the list (10 000 where a page reaches beyond these, and so on).
   */
  groups?: { field: string; limit: number };
  /**
   * Factors of the final scores of items that satisfy a filter; several multiply. They order the list that was found, of the same depth
   * as with `groups`, and cannot bring an item into it.
   */
  boost?: readonly { filter: string | FilterExpr; factor: number }[];
  /**
   * Maximal marginal relevance (Carbonell and Goldstein, 1998) among the best 1 000 of the list: 1 orders by score alone, less prefers
   * items whose vectors differ from those before. Scores stay what they are.
   */
  diversity?: { mmr: number };
  /**
   * Names of attributes, feature columns and fields of what is stored that come back with each result, in `items`; `stored` is all of it. In a
   * model that stores something, a name that nothing has is null.
   */
  select?: readonly string[];
  /** Candidates that are reranked (models with a reranker or a value formula); default: as tuned, else 1000; raised to k. */
  candidates?: number;
  /**
   * Share of the true list to find, in (0, 1]; default: that of the model, 0.98 unless it was tuned. The true list is that of an
   * exhaustive float32 search over what may come back: clusters are scanned until the request expects to miss no more. 1 scans all.
   */
  recall?: number;
  /** Instead of a recall target: clusters per head to look at. */
  probes?: number;
  /** Eligible rows to reach before probing stops; default: enough to keep filtered recall, at least the candidates. */
  minCandidates?: number;
  /** `false` skips the exact check of rows that a Bloom signature cannot decide; default true. */
  exact?: boolean;
  /**
   * Whether to count all eligible items: `stats.eligibleItems`. Every eligible row is scored for that, as with a recall of 1; that is
   * the recall which the request has then.
   */
  count?: boolean;
  /** Weights of the value formula by name (`weight.<name>`). */
  weights?: Readonly<Record<string, number>>;
  /** Ids never returned, such as items already seen. */
  exclude?: IdSet;
  /** Milliseconds from the call after which the request fails with `DEADLINE`. */
  deadlineMs?: number;
}

/** How a request was answered. */
export interface RetrieveStats {
  /**
   * `flat`: every row scored; `ivf`: the nearest clusters; `ivf-extended`: further clusters, since the first held too few
   * eligible rows; `filter-only`: the filter was evaluated on the whole catalogue and every eligible row scored.
   */
  strategy: 'flat' | 'ivf' | 'ivf-extended' | 'filter-only';
  probedClusters: number;
  /** Live rows scored, all heads together. */
  scannedRows: number;
  /** Eligible rows among those looked at, exact unless `exact` is false: a search that stops early has not seen all. */
  eligibleRows: number;
  /** Where asked for (`count`): items that the request may get in all, by filter and excluded ids, fresh ones included. */
  eligibleItems?: number;
  /** Rows that the Bloom signature could not decide; each was checked when `exact`. */
  doubtfulRows: number;
  /** Candidates that entered the reranker or the final list. */
  candidates: number;
  exact: boolean;
  /** Of requests with a recall target: share of the true list that the request expects to have found. */
  expectedRecall?: number;
  /** With `exact: false`: share of rows that may have been let through wrongly. */
  falsePositiveRate?: number;
}

/** Results of one request, best first: score descending, then publish order. */
export interface RetrieveResult {
  ids: ItemId[];
  scores: Float32Array;
  /** Raw logits per task of the reranker. */
  tasks?: Record<string, Float32Array>;
  /** Of a request with `select`: what it names of every result. Integers beyond 2^53 are bigints. */
  items?: SelectedItem[];
  /** Of a request with `offset`: that of the next page; undefined after the last one. */
  next?: number;
  /** Of a request with `rank`: the ids in it that no item has. */
  unknown?: ItemId[];
  stats: RetrieveStats;
  /** Of a catalogue in shards: the shards that did not answer, from 1, and how many items they hold. */
  partial?: { shards: number[]; items: number };
}

/** Many requests in flat arrays, for throughput. */
export interface RetrieveBatchRequest
  extends Omit<
    RetrieveRequest,
    | 'embedding'
    | 'user'
    | 'like'
    | 'dislike'
    | 'strategy'
    | 'filter'
    | 'exclude'
    | 'deadlineMs'
    | 'count'
    | 'offset'
    | 'groups'
    | 'boost'
    | 'diversity'
    | 'select'
  > {
  /** float32 [count, dims]. */
  embeddings: Float32Array;
  count: number;
  k: number;
  /** One per request, or undefined. */
  filters?: readonly (string | FilterExpr | undefined)[];
  /** Ids never returned, per request. */
  exclude?: readonly (IdSet | undefined)[];
}

/** Results of request i are entries `offsets[i]` to `offsets[i + 1]`. */
export interface RetrieveBatchResult {
  ids: Int32Array | Float64Array | BigInt64Array | string[];
  scores: Float32Array;
  offsets: Int32Array;
}
