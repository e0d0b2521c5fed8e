// Which reader a path asks for: vectors, a table of attributes, or ids.

import { extname } from 'node:path';
import { SilverlodeError } from '../errors.js';
import { type CsvOptions, readCsv } from './csv.js';
import type { ReadOptions } from './input_file.js';
import { readJsonl } from './jsonl.js';
import { matrixShape, type NdArray, toFloat32 } from './nd_array.js';
import { readNpy } from './npy.js';
import { readParquet, readParquetVectors } from './parquet.js';
import type { Table } from './table.js';
import { isVecsPath, readVecs } from './vecs.js';

/** A matrix of float32 rows, as `publish` takes embeddings. */
export interface Vectors {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly [rows: number, dims: number];
}

/** Ids in any of the types that `publish` takes. */
export type IdColumn = string[] | number[] | bigint[] | Int32Array | BigInt64Array;

/**
 * Reads vectors as float32, by extension: `.npy` (a matrix), `.fbin` `.u8bin` `.i8bin` `.ibin`, `.fvecs` `.bvecs`
 * `.ivecs`, or a list column of `.parquet`. Other element types are converted, each value rounded once.
 *
 * @param path The file.
 * @param options `column`: which column of a Parquet file (default: its only list of numbers). Progress, cancellation.
 * @returns The rows; values are not checked for NaN here.
 * @throws SilverlodeError `SHAPE_MISMATCH` for anything but a matrix, `INVALID_ARGUMENT` for another extension, and
 * what the reader of the format throws.
 *
 * @example
 * ```ts
 * const embeddings = await readVectors('item_factors.npy');
 * ```
 */
export async function readVectors(path: string, options: ReadOptions & { column?: string } = {}): Promise<Vectors> {
  const array = await readArray(path, options);
  return { shape: matrixShape(array, path), data: toFloat32(array) };
}

/**
 * Reads attribute columns, by extension: `.jsonl` or `.ndjson`, `.csv` or `.tsv`, `.parquet`.
 *
 * @param path The file.
 * @param options Those of CSV where it is one; progress and cancellation.
 * @returns One array per column, `null` for a missing value.
 * @throws SilverlodeError `INVALID_ARGUMENT` for another extension, and what the reader of the format throws.
 */
export async function readTable(path: string, options: CsvOptions = {}): Promise<Table> {
  switch (extension(path)) {
    case '.jsonl':
    case '.ndjson':
      return readJsonl(path, options);
    case '.csv':
    case '.tsv':
      return readCsv(path, options);
    case '.parquet':
      return readParquet(path, options);
    default:
      throw unknownExtension(path, '.jsonl .csv .tsv .parquet');
  }
}

/**
 * Reads item ids: a one-dimensional integer `.npy`, or one column of a table.
 *
 * @param path The file.
 * @param options `column`: which column of a table (default `id`). Progress and cancellation.
 * @returns The ids in file order; whether they are unique is for `publish` to check.
 * @throws SilverlodeError `INVALID_ARGUMENT` with `row` for a missing id and for mixed types, `UNKNOWN_FIELD` for a column that is
 * not there, `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, and what the reader of the format throws.
 */
export async function readIds(path: string, options: CsvOptions & { column?: string } = {}): Promise<IdColumn> {
  if (extension(path) === '.npy') return idsFromArray(await readNpy(path, options), path);
  const { column = 'id' } = options;
  const isParquet = extension(path) === '.parquet';
  const table = await (isParquet ? readParquet(path, { ...options, columns: [column] }) : readTable(path, options));
  const values = Object.hasOwn(table, column) ? table[column] : undefined;
  if (values) return idsFromColumn(values, `${path}, column '${column}'`);
  const message = `${path} has no column '${column}'; it has ${Object.keys(table).join(', ')}`;
  throw new SilverlodeError('UNKNOWN_FIELD', message, { path, field: column });
}

/**
 * Checks that a column can serve as ids: all strings, all safe integers or all bigints.
 *
 * @param values The column.
 * @param where What to call it in an error.
 * @throws SilverlodeError `INVALID_ARGUMENT` with the `row` (from 0) at fault.
 */
export function idsFromColumn(values: readonly unknown[], where: string): string[] | number[] | bigint[] {
  const type = typeof values[0];
  const row = values.findIndex((value) => typeof value !== type || !isId(value));
  if (row < 0) return values as string[] | number[] | bigint[];
  const shown = typeof values[row] === 'string' ? `'${values[row]}'` : String(values[row]);
  const message = `${where}: row ${row} is ${shown}; ids must be all strings or all integers`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { row });
}

function isId(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value);
}

function idsFromArray(array: NdArray, path: string): IdColumn {
  if (array.shape.length !== 1) {
    const message = `${path}: ids must have shape [items], not [${array.shape.join(', ')}]`;
    throw new SilverlodeError('SHAPE_MISMATCH', message, { path, shape: array.shape });
  }
  switch (array.dtype) {
    case 'int32':
    case 'int64':
      return array.data;
    case 'uint64':
      return Array.from<bigint>(array.data);
    case 'int8':
    case 'int16':
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return Array.from<number>(array.data);
    default: {
      const message = `${path}: ids must be integers, not ${array.dtype}`;
      throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, dtype: array.dtype });
    }
  }
}

async function readArray(path: string, options: ReadOptions & { column?: string }): Promise<NdArray> {
  if (isVecsPath(path)) return readVecs(path, options);
  if (extension(path) === '.npy') return readNpy(path, options);
  if (extension(path) === '.parquet') return readParquetVectors(path, options);
  throw unknownExtension(path, '.npy .fbin .u8bin .i8bin .ibin .fvecs .bvecs .ivecs .parquet');
}

function extension(path: string): string {
  return extname(path).toLowerCase();
}

function unknownExtension(path: string, known: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', `${path}: unknown extension; expected one of ${known}`, { path });
}
