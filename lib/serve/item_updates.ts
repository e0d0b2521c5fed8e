// Item updates over HTTP: the one file that knows how a model takes them. A model without these methods has no such routes.
import { SilverlodeError } from '../errors.js';
import { unifyIntegers } from '../io/table.js';
import type { ItemId } from '../retrieval/types.js';
import { type JsonId, parseId } from './http/json.js';
import type { ModelFacts } from './served_model.js';

/** Of one item: a value, null for none, or several. */
export type FieldValue = string | number | bigint | boolean | null | readonly (string | number | bigint | boolean)[];

/** Items as columns, as `publish` takes them. */
export interface ItemColumns {
  ids: ItemId[];
  embeddings: { data: Float32Array; shape: [number, number] };
  attributes?: Record<string, FieldValue[]>;
  features?: { data: Float32Array; shape: [number, number] };
  /** Any JSON, one per item. */
  stored?: unknown[];
}

/** Feature columns: all as rows of a matrix, or some by name. */
export type Features = { data: Float32Array; shape: [number, number] } | Record<string, Float32Array>;

/** What a model has that takes updates while it serves; answers may tell whether an update is `durable`. */
export interface UpdatableModel {
  upsert(items: ItemColumns): Promise<unknown>;
  delete(ids: ItemId[]): Promise<unknown>;
  updateAttributes(ids: ItemId[], attributes: Record<string, FieldValue[]>): Promise<unknown>;
  updateFeatures(ids: ItemId[], features: Features): Promise<unknown>;
}

/** One item in a body. */
export interface ItemUpdate {
  id: JsonId;
  embedding?: readonly number[];
  attributes?: Readonly<Record<string, FieldValue>>;
  /** One number per column in their order, or numbers by the names of their columns. */
  features?: readonly number[] | Readonly<Record<string, number>>;
  /** Any JSON, for what comes back with results. */
  stored?: unknown;
}

/** What a model tells that its items are made of. */
export type ItemFacts = Pick<ModelFacts, 'ids' | 'columns'>;

/** Items times attributes; more than a body of the default size can fill. */
const MAX_CELLS = 2 ** 20;
/** Groups of items that are changed together. */
const MAX_OPEN = 64;

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
  /** Updates since loading that are in neither a log nor a journal. */
  localUpdates?: number;
  /** What became of folding them; `running`: why one is under way. */
  compaction?: { running?: string; folds: number; failures: number; milliseconds?: number };
  /** In the log that the model follows. */
  position?: unknown;
  [fact: string]: unknown;
}

/** Undefined for a model that does not tell. */
export function freshnessOf(model: unknown): UpdateFacts | undefined {
  const { freshness } = (model ?? {}) as { freshness?: unknown };
  return typeof freshness === 'function' ? (freshness.call(model) as UpdateFacts) : undefined;
}

/** Puts items in, new or in place of those with the same id; every item with its embedding. @returns Whether that is durable. */
export async function upsertItems(
  model: UpdatableModel,
  items: readonly ItemUpdate[],
  { ids, columns }: ItemFacts,
): Promise<boolean> {
  const hasFeatures = items.some(({ features }) => features !== undefined);
  const result = await model.upsert({
    ids: items.map(({ id }) => parseId(id, ids)),
    embeddings: rows('embedding', items, ({ embedding }) => embedding),
    attributes: attributeColumns(items),
    features: hasFeatures ? rows('features', items, ({ features }) => inOrder(features, columns)) : undefined,
    stored: items.some(({ stored }) => stored !== undefined) ? items.map(({ stored }) => stored) : undefined,
  });
  return isDurable(result);
}

/**
 * Changes attributes and features of items that are there; what an item leaves out stays. Items with the same fields are changed
 * together, those with others in other updates: a refusal leaves these changed.
 *
 * @returns Whether that is durable.
 * @throws SilverlodeError `INVALID_ARGUMENT` for an item with nothing to change.
 */
export async function patchItems(
  model: UpdatableModel,
  items: readonly ItemUpdate[],
  { ids }: ItemFacts,
): Promise<boolean> {
  const empty = items.findIndex(({ attributes, features }) => attributes === undefined && features === undefined);
  if (empty >= 0) throw new SilverlodeError('INVALID_ARGUMENT', `items[${empty}] changes nothing`, { item: empty });
  const idsOf = (group: readonly ItemUpdate[]) => group.map(({ id }) => parseId(id, ids));
  idsOf(items); // all are looked at before any is changed
  attributeNames(items);
  const changes = [
    ...groupsOfSameFields(items, ({ attributes }) => attributes).map(
      (group) => () => model.updateAttributes(idsOf(group), attributeColumns(group) ?? {}),
    ),
    ...groupsOfSameFields(items, ({ features }) => features).map(
      (group) => () => model.updateFeatures(idsOf(group), featuresOf(group)),
    ),
  ];
  let durable = true;
  for (let begin = 0; begin < changes.length; begin += MAX_OPEN) {
    const results = await Promise.all(changes.slice(begin, begin + MAX_OPEN).map((change) => change()));
    durable &&= results.every(isDurable);
  }
  return durable;
}

/** @returns Whether that is durable. */
export async function deleteItems(
  model: UpdatableModel,
  given: readonly JsonId[],
  { ids }: ItemFacts,
): Promise<boolean> {
  return isDurable(await model.delete(given.map((id) => parseId(id, ids))));
}

const isDurable = (result: unknown): boolean => (result as { durable?: boolean } | undefined)?.durable === true;

/** Items that have something, those with the same names (or the same number of columns) together. */
function groupsOfSameFields(items: readonly ItemUpdate[], fieldsOf: (item: ItemUpdate) => object | undefined) {
  const groups = new Map<string, ItemUpdate[]>();
  for (const item of items) {
    const fields = fieldsOf(item);
    if (fields === undefined) continue;
    const key = JSON.stringify(Array.isArray(fields) ? fields.length : Object.keys(fields).sort());
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

/** @throws SilverlodeError `LIMIT_EXCEEDED` when items of different attributes would make a table far larger than their text. */
function attributeNames(items: readonly ItemUpdate[]): Set<string> {
  const names = new Set<string>();
  for (const { attributes = {} } of items) {
    for (const name of Object.keys(attributes)) names.add(name);
    if (names.size * items.length <= MAX_CELLS) continue;
    const message = `${items.length} items of ${names.size} different attributes or more at once; send less`;
    throw new SilverlodeError('LIMIT_EXCEEDED', message, { limit: MAX_CELLS });
  }
  return names;
}

/** One column per attribute that any item has; null where an item has no value. */
function attributeColumns(items: readonly ItemUpdate[]): Record<string, FieldValue[]> | undefined {
  const names = attributeNames(items);
  if (names.size === 0) return undefined;
  const value = ({ attributes = {} }: ItemUpdate, name: string) =>
    Object.hasOwn(attributes, name) ? (attributes[name] as FieldValue) : null;
  const column = (name: string) => unifyIntegers(items.map((item) => value(item, name))) as FieldValue[];
  return Object.fromEntries([...names].map((name) => [name, column(name)]));
}

/** Features of items that have the same ones. */
function featuresOf(items: readonly ItemUpdate[]): Features {
  const [first] = items as [ItemUpdate];
  if (Array.isArray(first.features)) return rows('features', items, ({ features }) => features as readonly number[]);
  const column = (name: string) =>
    Float32Array.from(items, ({ features }) => Number((features as Record<string, number>)[name]));
  return Object.fromEntries(Object.keys(first.features as object).map((name) => [name, column(name)]));
}

/** A whole row of features. @throws SilverlodeError `INVALID_ARGUMENT` for a name that the model does not have, or lacks. */
function inOrder(features: ItemUpdate['features'], columns: readonly string[]): readonly number[] | undefined {
  if (features === undefined || Array.isArray(features)) return features;
  const byName = features as Readonly<Record<string, number>>;
  const unknown = Object.keys(byName).find((name) => !columns.includes(name));
  const missing = columns.find((name) => !Object.hasOwn(byName, name));
  const wrong = unknown ?? missing;
  if (wrong === undefined) return columns.map((name) => byName[name] as number);
  const problem = unknown === undefined ? `features lack '${wrong}'` : `there is no feature column '${wrong}'`;
  const message = `${problem}; the model has ${columns.join(', ') || 'none with a name'}`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { field: wrong });
}

/** @throws SilverlodeError `SHAPE_MISMATCH` when an item lacks the list or has one of another length. */
function rows(
  field: 'embedding' | 'features',
  items: readonly ItemUpdate[],
  rowOf: (item: ItemUpdate) => readonly number[] | undefined,
): { data: Float32Array; shape: [number, number] } {
  const all = items.map(rowOf);
  const width = all[0]?.length ?? 0;
  const odd = all.findIndex((row) => row?.length !== width || width === 0);
  if (odd >= 0)
    throw new SilverlodeError('SHAPE_MISMATCH', `items[${odd}].${field} must be a list as long as the others`, {
      item: odd,
    });
  const data = new Float32Array(items.length * width);
  all.forEach((row, i) => {
    row?.forEach((value, column) => {
      data[i * width + column] = Number(value); // bigints too
    });
  });
  return { data, shape: [items.length, width] };
}
