// Updates as users give them, checked and copied before anything happens.
import { SilverlodeError } from '../../errors.js';
import type { AttributeColumns } from '../../index/attributes.js';
import { Tensor } from '../../tensor/tensor.js';
import { isTypedArrayOf } from '../../tensor/typed_array.js';
import { LARGEST_IN_ITEMS, largestInItems, rangeFault, requireKnown } from '../check_items.js';
import { isId, requireIdList } from '../item_ids.js';
import type { Manifest } from '../manifest.js';
import { type StoredText, storedTexts } from '../stored.js';
import type { ItemId, ItemIds } from '../types.js';
import { toColumns, type UpdateColumn } from './update_columns.js';

/** Items to insert or to replace as a whole. */
export interface UpsertItems {
  /** Of the type that was published; each once. */
  ids: ItemIds;
  /** float32 [items, dims], finite. */
  embeddings: Tensor | { data: Float32Array; shape: readonly number[] };
  /** One column per field; an item has no value in fields left out. New fields are welcome. */
  attributes?: AttributeColumns;
  /** float32 [items, F]; needed exactly when the model has feature columns. */
  features?: { data: Float32Array; shape: readonly number[] };
  /** Priors, for models published with some; default 0. */
  bias?: Float32Array | readonly number[];
  /** As the option of `publish`, one per item. */
  stored?: readonly unknown[];
}

/** Feature columns of items: all of them as a matrix, or some by name. */
export type FeatureValues =
  | { data: Float32Array; shape: readonly number[] }
  | Readonly<Record<string, Float32Array | readonly number[]>>;

/** One change of the catalogue, as `RetrievalModel.apply` and logs take it. */
export type Update =
  | ({ type: 'upsert' } & UpsertItems)
  | { type: 'delete'; ids: ItemIds }
  | { type: 'updateAttributes'; ids: ItemIds; attributes: AttributeColumns }
  | { type: 'updateFeatures'; ids: ItemIds; features: FeatureValues };

/** A checked update; plain data of its own, fit for a journal. */
export type CheckedUpdate =
  | {
      type: 'upsert';
      ids: readonly ItemId[];
      embeddings: Float32Array;
      attributes: readonly UpdateColumn[];
      features: Float32Array;
      bias: Float32Array;
      stored: readonly StoredText[];
    }
  | { type: 'delete'; ids: readonly ItemId[] }
  | { type: 'updateAttributes'; ids: readonly ItemId[]; attributes: readonly UpdateColumn[] }
  /** `values` [items, columns]: of the feature columns named by their index. */
  | { type: 'updateFeatures'; ids: readonly ItemId[]; columns: readonly number[]; values: Float32Array };

const KNOWN = {
  upsert: ['type', 'ids', 'embeddings', 'attributes', 'features', 'bias', 'stored'],
  delete: ['type', 'ids'],
  updateAttributes: ['type', 'ids', 'attributes'],
  updateFeatures: ['type', 'ids', 'features'],
};

/** What updates must fit. */
export interface UpdateFacts {
  manifest: Manifest;
  /** Columns of item features. */
  features: number;
  biased: boolean;
  /** Of the rows that the model holds beside the int8 ones. */
  tableDtype: string | undefined;
}

/** @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, naming the item where there is one. */
export function checkUpdate(update: Update, facts: UpdateFacts): CheckedUpdate {
  if (typeof update !== 'object' || update === null || !Object.hasOwn(KNOWN, update.type))
    throw invalid(`an update is an object of type ${Object.keys(KNOWN).join(', ')}`);
  requireKnown(update.type, update, KNOWN[update.type]);
  const ids = checkIds(update.ids, facts.manifest.ids);
  switch (update.type) {
    case 'upsert':
      return checkUpsert(update, ids, facts);
    case 'delete':
      return { type: 'delete', ids };
    case 'updateAttributes':
      return { type: 'updateAttributes', ids, attributes: toColumns(update.attributes, ids) };
    case 'updateFeatures':
      return { type: 'updateFeatures', ids, ...checkFeatures(update.features, ids.length, facts) };
  }
}

function checkUpsert(
  items: UpsertItems,
  ids: readonly ItemId[],
  { manifest, features, biased, tableDtype }: UpdateFacts,
): CheckedUpdate {
  const vectors = items.embeddings;
  const data = vectors instanceof Tensor ? (vectors as Tensor<'float32'>).view() : vectors?.data;
  const embeddings = matrix('embeddings', data, vectors?.shape, [ids.length, manifest.dims]);
  requireInRange('embeddings', embeddings, { width: manifest.dims, ids, largest: largestInItems(tableDtype) });
  if (features === 0 && items.features !== undefined) throw invalid('the model has no feature columns');
  if (features > 0 && items.features === undefined)
    throw invalid(`the model needs ${features} feature columns per item`);
  const columns = items.features
    ? matrix('features', items.features.data, items.features.shape, [ids.length, features])
    : new Float32Array(0);
  if (!biased && items.bias !== undefined) throw invalid('the model was published without item priors');
  const given = items.bias;
  if (given && given.length !== ids.length) throw mismatch(`bias has ${given.length} entries for ${ids.length} items`);
  const bias = given === undefined ? new Float32Array(ids.length) : Float32Array.from(given);
  requireInRange('bias', bias, { width: 1, ids, largest: LARGEST_IN_ITEMS });
  const attributes = toColumns(items.attributes ?? {}, ids);
  return {
    type: 'upsert',
    ids,
    embeddings,
    attributes,
    features: columns,
    bias,
    stored: storedTexts(items.stored, ids.length),
  };
}

function checkFeatures(given: FeatureValues, items: number, { manifest, features }: UpdateFacts) {
  if (features === 0) throw invalid('the model has no feature columns');
  if (typeof given !== 'object' || given === null) throw invalid('features must be a matrix or columns by name');
  if (isTypedArrayOf(given.data, Float32Array) && Array.isArray(given.shape)) {
    const values = matrix('features', given.data, given.shape, [items, features]);
    return { columns: Array.from({ length: features }, (_, column) => column), values };
  }
  const entries = Object.entries(given as Record<string, Float32Array>);
  const columns = entries.map(([name, values]) => {
    const column = manifest.columns.indexOf(name);
    if (column < 0)
      throw invalid(`there is no feature column '${name}'; known: ${manifest.columns.join(', ')}`, { field: name });
    if (values?.length !== items) throw mismatch(`features.${name} has ${values?.length} rows for ${items} items`);
    return column;
  });
  const values = new Float32Array(items * columns.length);
  entries.forEach(([, column], c) => {
    Array.from(column).forEach((value, item) => {
      values[item * columns.length + c] = value;
    });
  });
  return { columns, values };
}

function checkIds(given: ItemIds, kind: Manifest['ids']): ItemId[] {
  requireIdList('ids', given);
  const ids = Array.from<ItemId>(given as ItemId[]);
  const seen = new Set<ItemId>();
  ids.forEach((id, item) => {
    if (typeof id !== kind || !isId(id))
      throw invalid(`ids[${item}] is ${String(id)}: the model has ids of type ${kind}`, { item });
    if (seen.has(id)) throw invalid(`ids[${item}] repeats the id ${String(id)}`, { item, id });
    seen.add(id);
  });
  return ids;
}

/** A copy. */
function matrix(
  name: string,
  data: unknown,
  shape: readonly number[] | undefined,
  [rows, columns]: readonly [number, number],
): Float32Array {
  if (!isTypedArrayOf(data, Float32Array)) throw new SilverlodeError('UNSUPPORTED_DTYPE', `${name} must be float32`);
  if (shape?.length !== 2 || shape[0] !== rows || shape[1] !== columns || data.length !== rows * columns)
    throw mismatch(
      `${name} must have shape [${rows}, ${columns}], got ${JSON.stringify(shape)} of ${data.length} numbers`,
    );
  return data.slice();
}

function requireInRange(
  name: string,
  data: Float32Array,
  { width, ids, largest }: { width: number; ids: readonly ItemId[]; largest: number },
): void {
  let at = 0;
  while (at < data.length && Math.abs(data[at] as number) <= largest) at++;
  if (at === data.length) return;
  const item = Math.floor(at / width);
  const fault = rangeFault(data[at] as number, largest);
  throw invalid(`${name}: item ${item} (id ${String(ids[item])}) has ${fault}`, { item, id: ids[item] });
}

function invalid(message: string, details: Record<string, unknown> = {}): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, details);
}

function mismatch(message: string): SilverlodeError {
  return new SilverlodeError('SHAPE_MISMATCH', message);
}
