// Parquet by hyparquet, row group by row group; all of its compression codecs.

import type { ParquetRowRange, ParquetScan, SchemaTree } from 'hyparquet';
import { SilverlodeError } from '../errors.js';
import { type InputFile, isSystemError, type ReadOptions, withInputFile } from './input_file.js';
import { type NdArrayOf, ndArray } from './nd_array.js';
import { decimalScale, fromUnscaled, withoutDecimals } from './parquet_decimal.js';
import { readVectorColumn } from './parquet_vectors.js';
import { type Table, unifyIntegers } from './table.js';

/** Options of {@link readParquet}. */
export interface ParquetOptions extends ReadOptions {
  /** Which columns to read; all when left out. */
  columns?: readonly string[];
}

/**
 * Reads a Parquet file into columns.
 *
 * Lists become arrays, missing values `null`, dates and timestamps milliseconds since 1970. 64-bit integers become
 * numbers where the whole column fits into 53 bits, and stay `bigint` otherwise. A decimal becomes the nearest double, one without
 * decimal places an integer.
 *
 * @param path The file.
 * @param options Columns to read, progress and cancellation.
 * @returns One array per column.
 * @throws SilverlodeError `CORRUPT_FILE` for a malformed file, `UNKNOWN_FIELD` for a column it does not have,
 * `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const { id, title } = await readParquet('items.parquet', { columns: ['id', 'title'] });
 * ```
 */
export function readParquet(path: string, options: ParquetOptions = {}): Promise<Table> {
  return withParquet(path, options, async (parquet) => {
    const columns = options.columns ?? [...parquet.columns.keys()];
    for (const column of columns) requireColumn(parquet, column);
    const table = new Map<string, unknown[]>(columns.map((column) => [column, []]));
    for (const range of parquet.ranges) {
      for (const [column, values] of table) {
        for (const value of await parquet.read(column, range)) values.push(plainValue(value));
      }
    }
    return Object.fromEntries([...table].map(([name, values]) => [name, unifyIntegers(values)]));
  });
}

/**
 * Reads a column of equally long number lists as a float32 matrix.
 *
 * @param path The file.
 * @param options `column`: which one; by default the only list of numbers in the file. Progress and cancellation.
 * @returns A matrix [rows, dims].
 * @throws SilverlodeError as {@link readParquet}; `SHAPE_MISMATCH` with `row` where a list has another length or holds
 * anything but numbers, `INVALID_ARGUMENT` where the column must be named.
 */
export function readParquetVectors(
  path: string,
  options: ReadOptions & { column?: string } = {},
): Promise<NdArrayOf<'float32'>> {
  return withParquet(path, options, async (parquet) => {
    const column = options.column ?? onlyVectorColumn(parquet);
    requireColumn(parquet, column);
    const { data, dims } = await parquet.readVectors(column);
    return ndArray('float32', [parquet.rows, dims], data.buffer);
  });
}

/** A Parquet file that hyparquet has opened, its columns by name. */
interface OpenParquet {
  path: string;
  rows: number;
  ranges: ParquetScan['ranges'];
  columns: Map<string, SchemaTree>;
  read(column: string, range: ParquetRowRange): Promise<Iterable<unknown>>;
  readVectors(column: string): ReturnType<typeof readVectorColumn>;
}

/** Opens the file for hyparquet, whose own failures all mean that the content is not what the format says. */
async function withParquet<T>(
  path: string,
  options: ReadOptions,
  use: (parquet: OpenParquet) => Promise<T>,
): Promise<T> {
  const [{ parquetMetadataAsync, parquetScan, parquetSchema }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  return withInputFile(path, options, async (file) => {
    const source = {
      byteLength: file.size,
      slice: async (begin: number, end = file.size) => (await file.read(begin, end - begin)).buffer,
    };
    try {
      const stringFromBytes = (bytes: Uint8Array | undefined) => bytes && toText(file, bytes);
      const metadata = await parquetMetadataAsync(source); // its statistics may cut characters
      const scan = await parquetScan({ file: source, compressors, metadata, parsers: { stringFromBytes } });
      const { ranges } = scan;
      const columns = new Map(parquetSchema(metadata).children.map((child) => [child.element.name, child]));
      const integers = await parquetScan({
        file: source,
        compressors,
        metadata: withoutDecimals(metadata),
        utf8: false,
      });
      const read = async (column: string, range: ParquetRowRange) => {
        const scale = decimalScale(columns.get(column) as SchemaTree);
        if (scale === undefined) return scan.readColumn({ column, ...range });
        return Array.from(await integers.readColumn({ column, ...range }), (value) => fromUnscaled(value, scale));
      };
      const readVectors = (column: string) =>
        readVectorColumn(file, metadata, parquetSchema(metadata), column, compressors);
      return await use({ path, rows: Number(metadata.num_rows), ranges, columns, read, readVectors });
    } catch (error) {
      if (error instanceof SilverlodeError || options.signal?.aborted || isSystemError(error)) throw error;
      throw file.corrupt('Parquet data', `cannot be read: ${(error as Error).message}`);
    }
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Replacement characters would make one value of several. */
function toText(file: InputFile, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw file.corrupt('text', `is not UTF-8: ${Buffer.from(bytes).toString('hex').slice(0, 40)}`);
  }
}

function requireColumn({ path, columns }: OpenParquet, column: string): void {
  if (columns.has(column)) return;
  const message = `${path} has no column '${column}'; it has ${[...columns.keys()].join(', ')}`;
  throw new SilverlodeError('UNKNOWN_FIELD', message, { path, field: column });
}

function onlyVectorColumn({ path, columns }: OpenParquet): string {
  const names = [...columns].filter(([, node]) => isVector(node)).map(([name]) => name);
  const [name] = names;
  if (names.length === 1 && name !== undefined) return name;
  const found = names.length === 0 ? 'none of its columns' : `each of ${names.join(', ')}`;
  const message = `${path}: name the column with the vectors; ${found} is a list of floating-point numbers`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { path, columns: names });
}

function isVector({ element, children }: SchemaTree): boolean {
  const isList = element.logical_type?.type === 'LIST' || element.converted_type === 'LIST';
  let leaf = children[0];
  while (leaf?.children[0]) leaf = leaf.children[0];
  const own = isList ? leaf?.element : element.repetition_type === 'REPEATED' ? element : undefined;
  return own?.type === 'FLOAT' || own?.type === 'DOUBLE' || own?.logical_type?.type === 'FLOAT16';
}

function plainValue(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map(plainValue);
  return value ?? null;
}
