// Item updates over HTTP: the one file that knows how a model takes them. A model without these methods has no such routes.
import { SilverlodeError } from '../errors.js';
import { unifyIntegers } from '../io/table.js';
import type { ItemId } from '../retrieval/types.js';
import { type JsonId, parseId } from './http/json.js';
import type { ModelFacts } from './served_model.js';

/** A value of a filter field. */
type FieldValue = string | number | bigint | boolean | null | readonly (string | number | bigint | boolean)[];

/** Items as columns, as `publish` takes them. */
export interface ItemColumns {
  ids: ItemId[];
  embeddings: { data: Float32Array; shape: [number, number] };
  attributes?: Record<string, FieldValue[]>;
  features?: { data: Float32Array; shape: [number, number] };
}

/** What a model has that takes updates while it serves. */
export interface UpdatableModel {
  upsert(items: ItemColumns): Promise<unknown>;
  delete(ids: ItemId[]): Promise<unknown>;
  updateAttributes(ids: ItemId[], attributes: Record<string, FieldValue[]>): Promise<unknown>;
  updateFeatures(ids: ItemId[], features: { data: Float32Array; shape: [number, number] }): Promise<unknown>;
}

/** One item in a body. */
export interface ItemUpdate {
  id: JsonId;
  embedding?: readonly number[];
  attributes?: Readonly<Record<string, FieldValue>>;
  features?: readonly number[];
}

const METHODS = ['upsert', 'delete', 'updateAttributes', 'updateFeatures'] as const;

/** Whether a model takes updates. */
export function isUpdatable(model: unknown): model is UpdatableModel {
  return METHODS.every((name) => typeof (model as Record<string, unknown> | undefined)?.[name] === 'function');
}

/** Where a model's updates stand; other facts that it tells are passed on as they are. */
export interface UpdateFacts {
  /** Live items that came by updates, and the memory that they take. */
  freshItems: number;
  freshBytes: number;
  [fact: string]: unknown;
}

/** Undefined for a model that does not tell. */
export function freshnessOf(model: unknown): UpdateFacts | undefined {
  const { freshness } = (model ?? {}) as { freshness?: unknown };
  return typeof freshness === 'function' ? (freshness.call(model) as UpdateFacts) : undefined;
}

/** Puts items in, new or in place of those with the same id; every item with its embedding. */
export async function upsertItems(model: UpdatableModel, items: readonly ItemUpdate[], ids: ModelFacts['ids']) {
  await model.upsert({
    ids: items.map(({ id }) => parseId(id, ids)),
    embeddings: rows('embedding', items) as NonNullable<ReturnType<typeof rows>>,
    attributes: columns(items),
    features: items.some(({ features }) => features !== undefined) ? rows('features', items) : undefined,
  });
}

/**
 * Changes attributes and features of items that are there; what an item leaves out stays. Items with the same fields are changed
 * together, those with others one group after another: a refusal leaves the groups before it changed.
 */
export async function patchItems(model: UpdatableModel, items: readonly ItemUpdate[], ids: ModelFacts['ids']) {
  for (const group of groupsOfSameFields(items.filter(({ attributes }) => attributes !== undefined)))
    await model.updateAttributes(
      group.map(({ id }) => parseId(id, ids)),
      columns(group) as Record<string, FieldValue[]>,
    );
  const featured = items.filter(({ features }) => features !== undefined);
  if (featured.length > 0)
    await model.updateFeatures(
      featured.map(({ id }) => parseId(id, ids)),
      rows('features', featured),
    );
}

export async function deleteItems(model: UpdatableModel, given: readonly JsonId[], ids: ModelFacts['ids']) {
  await model.delete(given.map((id) => parseId(id, ids)));
}

function groupsOfSameFields(items: readonly ItemUpdate[]): ItemUpdate[][] {
  const groups = new Map<string, ItemUpdate[]>();
  for (const item of items) {
    const key = JSON.stringify(Object.keys(item.attributes ?? {}).sort());
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()];
}

/** One column per field that any item has; null where an item has no value. */
function columns(items: readonly ItemUpdate[]): Record<string, FieldValue[]> | undefined {
  const names = new Set(items.flatMap(({ attributes }) => Object.keys(attributes ?? {})));
  if (names.size === 0) return undefined;
  const value = ({ attributes = {} }: ItemUpdate, name: string) =>
    Object.hasOwn(attributes, name) ? (attributes[name] as FieldValue) : null;
  const column = (name: string) => unifyIntegers(items.map((item) => value(item, name))) as FieldValue[];
  return Object.fromEntries([...names].map((name) => [name, column(name)]));
}

/** @throws SilverlodeError `SHAPE_MISMATCH` when an item lacks the list or has one of another length. */
function rows(field: 'embedding' | 'features', items: readonly ItemUpdate[]) {
  const width = items[0]?.[field]?.length ?? 0;
  const data = new Float32Array(items.length * width);
  items.forEach((item, i) => {
    const list = item[field];
    if (list?.length !== width || width === 0)
      throw new SilverlodeError('SHAPE_MISMATCH', `items[${i}].${field} must be a list as long as the others`, {
        item: i,
      });
    list.forEach((value, column) => {
      data[i * width + column] = Number(value); // bigints too
    });
  });
  return { data, shape: [items.length, width] as [number, number] };
}
