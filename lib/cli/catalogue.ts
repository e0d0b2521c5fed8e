// What `publish` takes, from the files that its options name.

import { extname } from 'node:path';
import { SilverlodeError } from '../errors.js';
import { parseDate } from '../filter/dates.js';
import type { AttributeColumns } from '../index/attributes.js';
import type { ReadOptions } from '../io/input_file.js';
import type { Table } from '../io/table.js';
import { type IdColumn, idsFromColumn, readIds, readTable, readVectors, type Vectors } from '../io/vectors.js';

/** Options of `silverlode publish` that name the catalogue's files. */
export interface CatalogueFlags {
  embeddings: string;
  embeddingsColumn?: string;
  attributes?: string;
  fields?: string[];
  stored?: string[];
  delimiter?: string;
  listSeparator?: string;
  dates?: string[];
  ids?: string;
  idField?: string;
  features?: string;
  featureNames?: string[];
}

/** Tells people something that is no failure. */
export type Note = (text: string) => void;

/** Items as `publish` takes them. */
export interface Catalogue {
  ids: IdColumn;
  embeddings: Vectors;
  attributes?: AttributeColumns;
  features?: Vectors & { names?: readonly string[] };
}

/** What is kept for results, by item. */
type Stored = Record<string, unknown>[];

/**
 * Reads all files.
 *
 * @param reading Progress and cancellation of one stage.
 */
export async function readCatalogue(
  flags: CatalogueFlags,
  reading: (stage: string) => ReadOptions,
  note: Note,
): Promise<{ items: Catalogue; stored: Stored | undefined }> {
  const embeddings = await readVectors(flags.embeddings, {
    column: flags.embeddingsColumn,
    ...reading('embeddings'),
  });
  const columns = flags.attributes === undefined ? undefined : await readColumns(flags.attributes, flags, reading);
  for (const name of flags.dates ?? [])
    (columns ?? {})[name] = toDates(column(columns ?? {}, name, flags), name, flags);
  const ids = await itemIds(flags, columns, embeddings.shape[0], reading);
  const features = flags.features === undefined ? undefined : await readVectors(flags.features, reading('features'));
  const stored = flags.stored?.map((name): [string, unknown[]] => [name, column(columns ?? {}, name, flags)]);
  const items = {
    ids,
    embeddings,
    attributes: columns && attributes(columns, flags, embeddings.shape[1], note),
    features: features && { ...features, names: flags.featureNames },
  };
  return {
    items,
    stored:
      stored &&
      Array.from({ length: embeddings.shape[0] }, (_, item) =>
        Object.fromEntries(stored.map(([name, values]) => [name, values[item] ?? null])),
      ),
  };
}

/** The columns of the attributes file that are needed. */
async function readColumns(
  path: string,
  { fields, stored = [], delimiter, listSeparator, idField, ids }: CatalogueFlags,
  reading: (stage: string) => ReadOptions,
): Promise<Table> {
  const options = reading('attributes');
  if (extname(path).toLowerCase() !== '.parquet' || fields === undefined)
    return readTable(path, { delimiter, listSeparator, ...options });
  const { readParquet } = await import('../io/parquet.js');
  const own = idField !== undefined && ids === undefined ? [idField] : [];
  return readParquet(path, { columns: [...new Set([...own, ...fields, ...stored])], ...options });
}

async function itemIds(
  flags: CatalogueFlags,
  columns: Table | undefined,
  items: number,
  reading: (stage: string) => ReadOptions,
): Promise<IdColumn> {
  const { ids, idField } = flags;
  if (ids !== undefined) return readIds(ids, { column: idField, delimiter: flags.delimiter, ...reading('ids') });
  if (idField === undefined) return Int32Array.from({ length: items }, (_, row) => row);
  return idsFromColumn(column(columns ?? {}, idField, flags), `${flags.attributes}, column '${idField}'`);
}

/** The filter fields: those named, else every column that can be one. */
function attributes(columns: Table, flags: CatalogueFlags, dims: number, note: Note): AttributeColumns {
  const { fields, ids, idField } = flags;
  if (fields) return Object.fromEntries(fields.map((name) => [name, column(columns, name, flags)])) as AttributeColumns;
  const isOwnId = (name: string): boolean => ids === undefined && name === idField;
  const isEmbedding = (name: string, values: readonly unknown[]): boolean =>
    flags.attributes === flags.embeddings && (name === flags.embeddingsColumn || isVector(values[0], dims));
  const entries = Object.entries(columns).filter(
    ([name, values]) => !isOwnId(name) && !isEmbedding(name, values) && !flags.stored?.includes(name),
  );
  const nested = entries.filter(([, values]) => values.some(isNested)).map(([name]) => name);
  if (nested.length > 0) note(`skipped nested columns of ${flags.attributes}: ${nested.join(', ')}`);
  return Object.fromEntries(entries.filter(([name]) => !nested.includes(name))) as AttributeColumns;
}

function column(columns: Table, name: string, { attributes }: CatalogueFlags): unknown[] {
  const values = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (values) return values;
  const message = `${attributes} has no column '${name}'; it has ${Object.keys(columns).join(', ')}`;
  throw new SilverlodeError('UNKNOWN_FIELD', message, { path: attributes, field: name });
}

/** Dates as milliseconds since 1970, the form that filters compare. */
function toDates(values: readonly unknown[], name: string, { attributes: path }: CatalogueFlags): unknown[] {
  return values.map((value, row) => {
    if (value === null || typeof value === 'number') return value;
    const date = typeof value === 'string' ? parseDate(value) : undefined;
    if (date) return Number(date.begin);
    const message = `${path}, column '${name}': row ${row} is ${JSON.stringify(value)}, which is no date`;
    throw new SilverlodeError('INVALID_ARGUMENT', message, { path, field: name, row });
  });
}

/** Whether a value is an object, or a list that holds objects or lists. */
function isNested(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) || value.some((entry) => typeof entry === 'object' && entry !== null);
}

function isVector(value: unknown, dims: number): boolean {
  return (Array.isArray(value) || ArrayBuffer.isView(value)) && (value as unknown[]).length === dims;
}
