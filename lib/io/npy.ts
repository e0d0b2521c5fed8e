// NumPy's .npy files, versions 1.0 to 3.0: magic, header length, a Python dictionary, raw values.

import { SilverlodeError } from '../errors.js';
import { type InputFile, type ReadOptions, withInputFile } from './input_file.js';
import { bytesOf, countElements, itemBytes, type NdArray, type NdArrayOf, type NdDType, ndArray } from './nd_array.js';
import { writeChunks } from './output_file.js';

const MAGIC = '\x93NUMPY';

/** NumPy's names. Single-byte types have no byte order, which NumPy writes as `|`. */
const DESCRIPTORS: Readonly<Record<NdDType, string>> = {
  float16: '<f2',
  float32: '<f4',
  float64: '<f8',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  bool: '|b1',
};

/** By NumPy's name without the byte order, which comes before it. */
const DTYPES = new Map(
  Object.entries(DESCRIPTORS).map(([dtype, descriptor]) => [descriptor.slice(1), dtype as NdDType]),
);

/** One `'key': value` of the header; a structured `descr` is matched too, to be named in the refusal. */
const HEADER_ENTRY =
  /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,]*\)|\[[^\]]*\])\s*(,|(?=\}))/y;

/**
 * Reads a `.npy` file: float16/32/64, signed and unsigned integers of 8 to 64 bits, bool; in C or Fortran order and either byte
 * order. The array is in C order and little-endian whatever the file has.
 *
 * @param path The file.
 * @param options Progress and cancellation.
 * @returns The array, in memory of its own.
 * @throws SilverlodeError `CORRUPT_FILE` for a malformed or truncated file, `UNSUPPORTED_VERSION`,
 * `UNSUPPORTED_DTYPE` (strings, objects, structures), `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const { dtype, shape, data } = await readNpy('item_factors.npy');   // 'float32', [10000, 64], Float32Array
 * ```
 */
export function readNpy(path: string, options: ReadOptions = {}): Promise<NdArray> {
  return withInputFile(path, options, async (file) => {
    const { text, dataBegin } = await readHeader(file);
    const { dtype, shape, isBigEndian, isFortran } = parseHeader(file, text);
    const count = countElements(shape);
    const length = file.size - dataBegin;
    if (count === undefined || count * itemBytes(dtype) !== length) {
      throw file.corrupt('data', `has ${length} bytes, which shape [${shape.join(', ')}] of ${dtype} does not fill`);
    }
    const bytes = await file.read(dataBegin, length);
    if (isBigEndian) swapBytes(bytes, itemBytes(dtype));
    const array = ndArray(dtype, shape, bytes.buffer);
    return isFortran && shape.length > 1 ? toRowMajor(array) : array;
  });
}

/**
 * Reads a `.npy` file that must hold one given dtype.
 *
 * @param path The file.
 * @param dtype The expected element type.
 * @param options Progress and cancellation.
 * @throws SilverlodeError `UNSUPPORTED_DTYPE` for another dtype, and as {@link readNpy}.
 */
export async function readNpyOf<D extends NdDType>(
  path: string,
  dtype: D,
  options: ReadOptions = {},
): Promise<NdArrayOf<D>> {
  const array = await readNpy(path, options);
  if (array.dtype === dtype) return array as NdArrayOf<D>;
  const message = `${path}: expected ${dtype} values, got ${array.dtype}`;
  throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, dtype: array.dtype });
}

/**
 * Writes a `.npy` file (version 1.0, data aligned to 64 bytes).
 *
 * @param path The file; an existing one is replaced.
 * @param array What to write: `data.length` must equal the product of `shape`.
 * @throws SilverlodeError `SHAPE_MISMATCH` when it does not, `IO_ERROR`.
 */
export async function writeNpy(path: string, array: NdArray): Promise<void> {
  const { dtype, shape, data } = array;
  if (countElements(shape) !== data.length) {
    const message = `shape [${shape.join(', ')}] does not describe ${data.length} values`;
    throw new SilverlodeError('SHAPE_MISMATCH', message, { shape });
  }
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const entries = `{'descr': '${DESCRIPTORS[dtype]}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const prefixBytes = MAGIC.length + 4;
  const headerBytes = Math.ceil((prefixBytes + entries.length + 1) / 64) * 64 - prefixBytes;
  const header = Buffer.from(`${MAGIC}\x01\x00\x00\x00${entries.padEnd(headerBytes - 1)}\n`, 'latin1');
  header.writeUInt16LE(headerBytes, prefixBytes - 2);
  await writeChunks(path, [header, bytesOf(data)]);
}

/** `()`, `(3,)`, `(3, 4)`: in Python `(3)` is a number, not a tuple. */
const SHAPE_TUPLE = /^\(\s*(?:(?:\d+\s*,\s*)+(?:\d+\s*)?)?\)$/;

/** Far above what any plain array needs; keeps a wrong length from being read as text. */
const MAX_HEADER_BYTES = 1 << 16;

async function readHeader(file: InputFile): Promise<{ text: string; dataBegin: number }> {
  const start = Buffer.from((await file.read(0, Math.min(12, file.size))).buffer);
  if (start.toString('latin1', 0, MAGIC.length) !== MAGIC) throw file.corrupt('magic', 'is not that of a .npy file');
  if (start.length < 12) throw file.corrupt('header', 'is cut off');
  const major = start[6] ?? 0;
  if (major < 1 || major > 3) {
    const message = `${file.path}: .npy version ${major}.${start[7]} is not supported`;
    throw new SilverlodeError('UNSUPPORTED_VERSION', message, { path: file.path });
  }
  const begin = major === 1 ? 10 : 12;
  const length = major === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  if (length > Math.min(MAX_HEADER_BYTES, file.size - begin))
    throw file.corrupt('header length', `${length} is too large`);
  const text = Buffer.from((await file.read(begin, length)).buffer).toString(major === 3 ? 'utf8' : 'latin1');
  return { text, dataBegin: begin + length };
}

interface Layout {
  dtype: NdDType;
  shape: number[];
  isBigEndian: boolean;
  isFortran: boolean;
}

function parseHeader(file: InputFile, text: string): Layout {
  const body = text.trim();
  const entries = new Map<string, string>();
  HEADER_ENTRY.lastIndex = 1;
  let end = 1;
  for (let match = HEADER_ENTRY.exec(body); match; match = HEADER_ENTRY.exec(body)) {
    const [, key = '', value = ''] = match;
    if (entries.has(key)) throw file.corrupt('header', `names '${key}' twice`);
    entries.set(key, value);
    end = HEADER_ENTRY.lastIndex;
  }
  if (body[0] !== '{' || body.slice(end).trim() !== '}') throw file.corrupt('header', 'is not the expected dictionary');
  const need = (key: string): string => {
    const value = entries.get(key);
    if (value === undefined) throw file.corrupt('header', `lacks '${key}'`);
    return value;
  };

  const descriptor = need('descr').replaceAll("'", '');
  const dtype = DTYPES.get(descriptor.slice(1));
  if (!dtype || !/^[<>=|]/.test(descriptor)) {
    const known = Object.values(DESCRIPTORS).join(' ');
    const message = `${file.path}: dtype '${descriptor}' is not supported; use one of ${known}`;
    throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path: file.path, dtype: descriptor });
  }
  const order = need('fortran_order');
  if (order !== 'False' && order !== 'True') throw file.corrupt('fortran_order', `is ${order}`);
  const tuple = need('shape');
  if (!SHAPE_TUPLE.test(tuple)) throw file.corrupt('shape', `${tuple} is not a tuple of sizes`);
  const shape = (tuple.match(/\d+/g) ?? []).map(Number);
  return { dtype, shape, isBigEndian: descriptor.startsWith('>'), isFortran: order === 'True' };
}

/** In place. */
function swapBytes(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (width === 2) buffer.swap16();
  if (width === 4) buffer.swap32();
  if (width === 8) buffer.swap64();
}

/** The same values with the last index running fastest instead of the first. */
function toRowMajor(array: NdArray): NdArray {
  const { dtype, shape } = array;
  const from = array.data as Float64Array;
  const moved = ndArray(dtype, shape, new ArrayBuffer(from.byteLength));
  const to = moved.data as Float64Array;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const last = shape.length - 1;
  let next = 0;
  const copy = (axis: number, begin: number) => {
    const [size, stride] = [shape[axis] as number, strides[axis] as number];
    if (axis < last) for (let i = 0; i < size; i++) copy(axis + 1, begin + i * stride);
    else for (let i = 0; i < size; i++) to[next++] = from[begin + i * stride] as number;
  };
  copy(0, 0);
  return moved;
}
