// Dense arrays as files hold them. Wider than the tensor dtypes: files also carry float64, bool and unsigned types.

import { SilverlodeError } from '../errors.js';
import { float16ToFloats } from '../tensor/half.js';

/** Typed array in which each file dtype is held. Half floats are raw bits; booleans are bytes 0 and 1. */
export interface NdArrayData {
  float16: Uint16Array<ArrayBuffer>;
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
  int8: Int8Array<ArrayBuffer>;
  int16: Int16Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  uint16: Uint16Array<ArrayBuffer>;
  uint32: Uint32Array<ArrayBuffer>;
  uint64: BigUint64Array<ArrayBuffer>;
  bool: Uint8Array<ArrayBuffer>;
}

/** Element type of an array in a file. */
export type NdDType = keyof NdArrayData;

/** An array of one element type, as read from a file: row-major, contiguous, in memory of its own. */
export interface NdArrayOf<D extends NdDType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: NdArrayData[D];
}

/** An array of any element type; `dtype` tells which. */
export type NdArray = { [D in NdDType]: NdArrayOf<D> }[NdDType];

const CONSTRUCTORS = {
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const satisfies Record<NdDType, unknown>;

/** Bytes of one element. */
export function itemBytes(dtype: NdDType): number {
  return CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape, or `undefined` where it is no shape or does not fit a safe integer. */
export function countElements(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** Views a whole buffer as an array of the given type and shape; the buffer must hold exactly that many bytes. */
export function ndArray<D extends NdDType>(
  dtype: D,
  shape: readonly number[],
  buffer: ArrayBuffer,
): Extract<NdArray, { dtype: D }> {
  return { dtype, shape, data: new CONSTRUCTORS[dtype](buffer) } as Extract<NdArray, { dtype: D }>;
}

/** The bytes of any typed array, without a copy. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Converts to float32, each value rounded once. A float32 array is returned as it is, not copied.
 */
export function toFloat32(array: NdArray): Float32Array<ArrayBuffer> {
  switch (array.dtype) {
    case 'float32':
      return array.data;
    case 'float16':
      return float16ToFloats(array.data);
    case 'int64':
    case 'uint64': {
      const floats = new Float32Array(array.data.length);
      for (let i = 0; i < floats.length; i++) floats[i] = Number(array.data[i]);
      return floats;
    }
    default:
      return new Float32Array(array.data);
  }
}

/** The two sizes of a matrix. Anything but two dimensions is `SHAPE_MISMATCH`. */
export function matrixShape(array: NdArray, path: string): [rows: number, columns: number] {
  const [rows, columns] = array.shape;
  if (array.shape.length !== 2 || rows === undefined || columns === undefined) {
    const message = `${path}: expected a matrix [rows, dims], got shape [${array.shape.join(', ')}]`;
    throw new SilverlodeError('SHAPE_MISMATCH', message, { path, shape: array.shape });
  }
  return [rows, columns];
}
