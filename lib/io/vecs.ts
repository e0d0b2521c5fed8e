// Vector files of the nearest-neighbour benchmarks. .fvecs .ivecs .bvecs (TEXMEX): every row is an int32 dimension,
// then its values. .fbin .u8bin .i8bin .ibin (big-ann-benchmarks): uint32 rows, uint32 dims, then all values.

import { extname } from 'node:path';
import { SilverlodeError } from '../errors.js';
import { type InputFile, type ReadOptions, withInputFile } from './input_file.js';
import { bytesOf, countElements, itemBytes, matrixShape, type NdArray, type NdDType, ndArray } from './nd_array.js';
import { writeChunks } from './output_file.js';

/** Extension to element type, and whether every row repeats its dimension. */
const FORMATS: ReadonlyMap<string, { dtype: NdDType; perRow: boolean }> = new Map([
  ['.fvecs', { dtype: 'float32', perRow: true }],
  ['.ivecs', { dtype: 'int32', perRow: true }],
  ['.bvecs', { dtype: 'uint8', perRow: true }],
  ['.fbin', { dtype: 'float32', perRow: false }],
  ['.ibin', { dtype: 'int32', perRow: false }],
  ['.u8bin', { dtype: 'uint8', perRow: false }],
  ['.i8bin', { dtype: 'int8', perRow: false }],
]);

/** Rows are copied in groups of about this size: large enough for the disk, small beside the result. */
const GROUP_BYTES = 4 << 20;

/** Whether a path has one of the extensions that {@link readVecs} knows. */
export function isVecsPath(path: string): boolean {
  return FORMATS.has(extname(path).toLowerCase());
}

/**
 * Reads `.fvecs` `.ivecs` `.bvecs` or `.fbin` `.u8bin` `.i8bin` `.ibin`, told apart by extension.
 *
 * @param path The file.
 * @param options Progress and cancellation.
 * @returns A matrix [rows, dims] of float32, int32, uint8 or int8.
 * @throws SilverlodeError `CORRUPT_FILE` for a truncated file or rows of different dimensions, `INVALID_ARGUMENT` for
 * another extension, `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const { shape, data } = await readVecs('base.fvecs');   // [10000, 128], Float32Array
 * ```
 */
export function readVecs(path: string, options: ReadOptions = {}): Promise<NdArray> {
  const { dtype, perRow } = formatOf(path);
  return withInputFile(path, options, (file) => (perRow ? readRows(file, dtype) : readBlock(file, dtype)));
}

/**
 * Writes a matrix in the format that the extension names.
 *
 * @param path The file; an existing one is replaced.
 * @param array A matrix whose dtype is the one of the format.
 * @throws SilverlodeError `UNSUPPORTED_DTYPE`, `SHAPE_MISMATCH`, `INVALID_ARGUMENT` for another extension, `IO_ERROR`.
 */
export async function writeVecs(path: string, array: NdArray): Promise<void> {
  const { dtype, perRow } = formatOf(path);
  if (array.dtype !== dtype) {
    const message = `${extname(path)} holds ${dtype}, not ${array.dtype}`;
    throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, dtype: array.dtype });
  }
  const [rows, dims] = matrixShape(array, path);
  if (rows * dims !== array.data.length) {
    const message = `shape [${rows}, ${dims}] does not describe ${array.data.length} values`;
    throw new SilverlodeError('SHAPE_MISMATCH', message, { shape: array.shape });
  }
  const bytes = bytesOf(array.data);
  await writeChunks(path, perRow ? interleave(bytes, rows, dims) : [bytesOf(Uint32Array.of(rows, dims)), bytes]);
}

function formatOf(path: string): { dtype: NdDType; perRow: boolean } {
  const format = FORMATS.get(extname(path).toLowerCase());
  if (format) return format;
  const message = `${path}: expected one of ${[...FORMATS.keys()].join(' ')}`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { path });
}

async function readBlock(file: InputFile, dtype: NdDType): Promise<NdArray> {
  if (file.size < 8) throw file.corrupt('header', 'is cut off');
  const [rows = 0, dims = 0] = new Uint32Array((await file.read(0, 8)).buffer);
  const length = file.size - 8;
  if ((countElements([rows, dims]) ?? Infinity) * itemBytes(dtype) !== length) {
    throw file.corrupt('data', `has ${length} bytes, which ${rows} rows of ${dims} ${dtype} values do not fill`);
  }
  return ndArray(dtype, [rows, dims], (await file.read(8, length)).buffer);
}

async function readRows(file: InputFile, dtype: NdDType): Promise<NdArray> {
  if (file.size < 4) throw file.corrupt('dimension', 'is cut off');
  const [dims = 0] = new Int32Array((await file.read(0, 4)).buffer);
  const valueBytes = dims * itemBytes(dtype);
  const rowBytes = 4 + valueBytes;
  if (dims <= 0) throw file.corrupt('dimension', `of row 0 is ${dims}`, { row: 0 });
  if (file.size % rowBytes !== 0) {
    throw file.corrupt('data', `is ${file.size} bytes, not a whole number of rows of ${dims} ${dtype} values`);
  }
  const rows = file.size / rowBytes;
  const rowsPerGroup = Math.max(1, Math.floor(GROUP_BYTES / rowBytes));
  const values = new Uint8Array(rows * valueBytes);
  for (let first = 0; first < rows; first += rowsPerGroup) {
    const count = Math.min(rowsPerGroup, rows - first);
    const group = await file.read(first * rowBytes, count * rowBytes);
    const view = new DataView(group.buffer);
    for (let row = 0; row < count; row++) {
      const at = row * rowBytes;
      const rowDims = view.getInt32(at, true);
      if (rowDims !== dims) {
        throw file.corrupt('dimension', `of row ${first + row} is ${rowDims}, of row 0 ${dims}`, { row: first + row });
      }
      values.set(group.subarray(at + 4, at + rowBytes), (first + row) * valueBytes);
    }
  }
  return ndArray(dtype, [rows, dims], values.buffer);
}

function* interleave(bytes: Uint8Array, rows: number, dims: number): Generator<Uint8Array> {
  const valueBytes = rows > 0 ? bytes.length / rows : 0;
  const rowsPerGroup = Math.max(1, Math.floor(GROUP_BYTES / (4 + valueBytes)));
  for (let first = 0; first < rows; first += rowsPerGroup) {
    const count = Math.min(rowsPerGroup, rows - first);
    const group = new Uint8Array(count * (4 + valueBytes));
    const view = new DataView(group.buffer);
    for (let row = 0; row < count; row++) {
      const at = row * (4 + valueBytes);
      view.setInt32(at, dims, true);
      group.set(bytes.subarray((first + row) * valueBytes, (first + row + 1) * valueBytes), at + 4);
    }
    yield group;
  }
}
