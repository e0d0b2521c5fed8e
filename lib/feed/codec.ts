// Updates as JSON, for logs that other programs write too.
import { SilverlodeError } from '../errors.js';
import { parseJson, stringifyJson } from '../io/json.js';
import { unifyIntegers } from '../io/table.js';
import type { FeatureValues, Update } from '../retrieval/fresh/updates.js';
import { Tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';

/** How ids are written: bigints as decimal text. */
export interface CodecOptions {
  ids?: 'string' | 'number' | 'bigint';
}

/** Rows of a matrix as lists of numbers. */
type Rows = readonly (readonly number[])[];

/** What an update looks like in JSON. */
interface PlainUpdate {
  type: Update['type'];
  ids: readonly (string | number)[];
  embeddings?: Rows;
  attributes?: Readonly<Record<string, readonly unknown[]>>;
  /** Rows, or columns by name. */
  features?: Rows | Readonly<Record<string, readonly number[]>>;
  bias?: readonly number[];
  /** Any JSON, one per item. */
  stored?: readonly unknown[];
}

/**
 * `{"type": "upsert", "ids": […], "embeddings": [[…], …], "attributes": {…}, "features": [[…], …]}` and likewise for the other
 * types. Attributes are kept as they are: bigints become integers in full, which `decodeUpdate` reads exactly.
 */
export function encodeUpdate(update: Update): Uint8Array {
  const { type, ids } = update;
  const plain: PlainUpdate = { type, ids: Array.from<unknown>(ids as unknown[]).map(plainId) };
  if (update.type === 'upsert') {
    const { embeddings, features, bias, stored } = update;
    const data = embeddings instanceof Tensor ? (embeddings.view() as Float32Array) : embeddings.data;
    plain.embeddings = toRows(data, embeddings.shape);
    if (features) plain.features = toRows(features.data, features.shape);
    if (bias) plain.bias = [...bias];
    if (stored) plain.stored = stored;
  }
  if (update.type === 'updateFeatures') plain.features = plainFeatures(update.features);
  if ('attributes' in update && update.attributes) {
    const columns = Object.entries(update.attributes).map(([name, column]) => [name, [...column]]);
    plain.attributes = Object.fromEntries(columns);
  }
  return new TextEncoder().encode(stringifyJson(plain));
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for anything that is no update in JSON. */
export function decodeUpdate(bytes: Uint8Array, { ids: kind }: CodecOptions = {}): Update {
  let plain: PlainUpdate;
  try {
    plain = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as PlainUpdate;
  } catch (cause) {
    throw new SilverlodeError('INVALID_ARGUMENT', 'the update is not JSON', {}, { cause });
  }
  const { type, ids, embeddings, attributes, features, bias, stored } = plain ?? {};
  if (!Array.isArray(ids)) throw new SilverlodeError('INVALID_ARGUMENT', 'the update has no list of ids');
  const own = kind === 'bigint' ? ids.map(toBigInt) : ids;
  const update = {
    type,
    ids: own,
    ...(embeddings === undefined ? {} : { embeddings: toMatrix('embeddings', embeddings) }),
    ...(attributes === undefined ? {} : { attributes: unified(attributes) }),
    ...(features === undefined
      ? {}
      : { features: Array.isArray(features) ? toMatrix('features', features) : features }),
    ...(bias === undefined ? {} : { bias }),
    ...(stored === undefined ? {} : { stored }),
  };
  return update as Update;
}

function plainId(id: unknown): string | number {
  return typeof id === 'bigint' ? id.toString() : (id as string | number);
}

function plainFeatures(features: FeatureValues): NonNullable<PlainUpdate['features']> {
  if (isTypedArrayOf(features.data, Float32Array)) return toRows(features.data, features.shape as readonly number[]);
  return Object.fromEntries(Object.entries(features).map(([name, column]) => [name, [...(column as Float32Array)]]));
}

function toRows(data: Float32Array, [rows = 0, columns = 0]: readonly number[]): Rows {
  return Array.from({ length: rows }, (_, row) => [...data.subarray(row * columns, (row + 1) * columns)]);
}

function toMatrix(name: string, rows: unknown): { data: Float32Array; shape: readonly number[] } {
  const isRow = (row: unknown): row is number[] =>
    Array.isArray(row) && row.every((value) => typeof value === 'number');
  if (!Array.isArray(rows) || !rows.every(isRow))
    throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be lists of numbers`);
  const columns = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== columns))
    throw new SilverlodeError('SHAPE_MISMATCH', `the rows of ${name} differ in length`);
  return { data: Float32Array.from(rows.flat()), shape: [rows.length, columns] };
}

/** Columns whose integers are of one type each; what is no list is for the model to refuse. */
function unified(attributes: NonNullable<PlainUpdate['attributes']>): Record<string, unknown> {
  const columns = Object.entries(attributes).map(([name, values]) => [
    name,
    Array.isArray(values) ? unifyIntegers(values) : values,
  ]);
  return Object.fromEntries(columns);
}

function toBigInt(id: unknown): bigint {
  if (typeof id === 'string' && /^-?\d+$/.test(id)) return BigInt(id);
  throw new SilverlodeError('INVALID_ARGUMENT', `${String(id)} is no id in decimal digits`);
}
