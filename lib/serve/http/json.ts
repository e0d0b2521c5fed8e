// Requests and results between JSON and what models take and give.
import { SilverlodeError } from '../../errors.js';
import type { FilterExpr } from '../../filter/ast.js';
import type { SelectedItem } from '../../retrieval/give/items.js';
import type { ItemId, RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import { isTypedArrayOf } from '../../tensor/typed_array.js';
import type { ModelFacts } from '../served_model.js';

/** A request as it comes, valid by its schema. */
export interface JsonRequest extends Omit<RetrieveRequest, 'embedding' | 'user' | 'allow' | IdField> {
  embedding?: readonly number[] | readonly (readonly number[])[];
  user?: Record<string, number | number[]>;
  exclude?: readonly JsonId[];
  like?: readonly JsonId[];
  dislike?: readonly JsonId[];
  rank?: readonly JsonId[];
  /** Ids, or a Roaring bitmap in base64. */
  allow?: readonly JsonId[] | string;
}

/** Fields of requests that hold ids. */
const ID_FIELDS = ['exclude', 'like', 'dislike', 'rank'] as const;
type IdField = (typeof ID_FIELDS)[number];

/** Integers beyond 2^53 are bigints. */
export type JsonId = string | number | bigint;

/** A result as it goes out. */
export interface JsonResult {
  ids: (string | number)[];
  scores: (number | null)[];
  tasks?: Record<string, (number | null)[]>;
  items?: Record<string, unknown>[];
  next?: number;
  unknown?: (string | number)[];
  stats: RetrieveResult['stats'];
  partial?: RetrieveResult['partial'];
}

/** What a filter tree's node counts for, in characters of text. */
const NODE_LENGTH = 8;

/**
 * @param filterLength Longest filter.
 * @throws SilverlodeError `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
 */
export function fromJson(json: JsonRequest, ids: ModelFacts['ids'], filterLength: number): RetrieveRequest {
  const { embedding, filter, allow, exclude, like, dislike, rank, ...same } = json;
  if (typeof filter === 'object') checkTreeSize(filter, filterLength);
  const request: RetrieveRequest = { ...same };
  if (embedding !== undefined) request.embedding = toEmbedding(embedding);
  if (filter !== undefined) request.filter = filter;
  for (const each of same.boost ?? []) if (typeof each.filter === 'object') checkTreeSize(each.filter, filterLength);
  const lists = { exclude, like, dislike, rank };
  for (const field of ID_FIELDS) {
    const list = lists[field];
    if (list !== undefined) request[field] = list.map((each) => parseId(each, ids));
  }
  if (allow !== undefined)
    request.allow = typeof allow === 'string' ? Buffer.from(allow, 'base64') : allow.map((each) => parseId(each, ids));
  return request;
}

function toEmbedding(embedding: readonly (number | readonly number[])[]): Float32Array | Float32Array[] {
  const toFloats = (list: readonly number[]) => Float32Array.from(list, Number); // bigints too
  if (embedding.every(Array.isArray)) return (embedding as readonly (readonly number[])[]).map(toFloats);
  if (!embedding.some(Array.isArray)) return toFloats(embedding as readonly number[]);
  throw new SilverlodeError('INVALID_ARGUMENT', 'embedding must be a list of numbers, or of such lists');
}

/**
 * An id in the type that the model's ids have; integers of 64 bits come as decimal strings.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` for another type.
 */
export function parseId(id: JsonId, kind: ModelFacts['ids']): ItemId {
  if (kind === 'bigint' && /^-?\d{1,19}$/.test(String(id))) return BigInt(id);
  if (kind === typeof id) return id;
  const expected = kind === 'bigint' ? 'decimal strings' : `${kind}s`;
  const shown = typeof id === 'string' ? JSON.stringify(id) : String(id);
  throw new SilverlodeError('INVALID_ARGUMENT', `ids of this model are ${expected}, got ${shown}`);
}

/** Counts without recursion, so that no depth does harm. */
function checkTreeSize(tree: FilterExpr, filterLength: number): void {
  const open: unknown[] = [tree];
  for (let nodes = 0; open.length > 0; nodes++) {
    if (nodes * NODE_LENGTH > filterLength)
      throw new SilverlodeError('LIMIT_EXCEEDED', `the filter is longer than ${filterLength} allows`);
    const node = open.pop();
    if (typeof node === 'object' && node !== null) for (const child of Object.values(node)) open.push(child);
  }
}

export function toJsonResult({ ids, scores, tasks, items, next, unknown, stats, partial }: RetrieveResult): JsonResult {
  const result: JsonResult = { ids: ids.map(jsonId), scores: finite(scores), stats };
  if (items) result.items = items.map(jsonItem);
  if (next !== undefined) result.next = next;
  if (unknown) result.unknown = unknown.map(jsonId);
  if (partial) result.partial = partial;
  if (tasks) result.tasks = Object.fromEntries(Object.entries(tasks).map(([name, logits]) => [name, finite(logits)]));
  return result;
}

export function jsonId(id: ItemId): string | number {
  return typeof id === 'bigint' ? id.toString() : id;
}

/** Bigints as decimal strings, vectors as lists. */
export function jsonItem(item: SelectedItem): Record<string, unknown> {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number') return Number.isFinite(value) ? value : null;
    return Array.isArray(value) || isTypedArrayOf(value, Float32Array) ? Array.from(value, plain) : value;
  };
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plain(value)]));
}

/** JSON has no NaN and no Infinity. */
function finite(values: Float32Array): (number | null)[] {
  return Array.from(values, (value) => (Number.isFinite(value) ? value : null));
}
