// Tensors of an ONNX file as typed arrays.
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { SilverlodeError } from '../errors.js';
import { bfloat16ToFloats, float16ToFloats } from '../tensor/half.js';
import type { TensorProto } from './proto.js';

/** A value that is known when a model is imported: numbers, whole ones as numbers too. */
export interface Constant {
  data: Float32Array | Int32Array;
  shape: readonly number[];
}

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const BOOL = 9;
const FLOAT16 = 10;
const DOUBLE = 11;
const BFLOAT16 = 16;

/** Types that inputs may have, and what they are here: 64-bit integers are ids and sizes, which int32 holds. */
export const INPUT_TYPES: Readonly<Record<number, 'float32' | 'int32'>> = {
  [FLOAT]: 'float32',
  [INT32]: 'int32',
  [INT64]: 'int32',
};

const BYTES: Readonly<Record<number, number>> = {
  [FLOAT]: 4,
  [INT32]: 4,
  [INT64]: 8,
  [BOOL]: 1,
  [FLOAT16]: 2,
  [DOUBLE]: 8,
  [BFLOAT16]: 2,
};
const EXTERNAL = 1;
const MOST_ELEMENTS = 2 ** 31 - 1;

/**
 * @param folder Where external data lie; undefined for a model that came as bytes.
 * @throws SilverlodeError `CORRUPT_FILE`, `IO_ERROR`, `UNSUPPORTED_DTYPE`, naming the tensor.
 */
export function readConstant(proto: TensorProto, folder: string | undefined, place = proto.name): Constant {
  const shape = proto.dims;
  const elements = shape.reduce((product, dim) => product * dim, 1);
  if (shape.length > 8 || shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || !(elements <= MOST_ELEMENTS))
    throw corrupt(place, `has the shape [${shape.slice(0, 9).join(', ')}]`);
  const width = BYTES[proto.dataType];
  if (width === undefined)
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `tensor '${place}' has ONNX type ${proto.dataType}`, {
      tensor: place,
    });
  const listed = listOf(proto);
  if (proto.dataLocation !== EXTERNAL && proto.rawData.length === 0 && (listed.length > 0 || elements === 0)) {
    if (listed.length !== elements) throw corrupt(place, `holds ${listed.length} numbers of ${elements}`);
    return { data: fromNumbers(listed, proto.dataType, place), shape };
  }
  const bytes = proto.dataLocation === EXTERNAL ? externalBytes(proto, elements * width, folder, place) : proto.rawData;
  if (bytes.length !== elements * width) throw corrupt(place, `holds ${bytes.length} bytes of ${elements * width}`);
  return { data: fromBytes(Uint8Array.from(bytes).buffer, proto.dataType, place), shape };
}

function listOf({ dataType, floatData, int32Data, int64Data, doubleData }: TensorProto): readonly number[] {
  if (dataType === FLOAT) return floatData;
  if (dataType === INT64) return int64Data;
  return dataType === DOUBLE ? doubleData : int32Data;
}

function fromNumbers(numbers: readonly number[], type: number, place: string): Constant['data'] {
  if (type === FLOAT16) return float16ToFloats(Uint16Array.from(numbers));
  if (type === BFLOAT16) return bfloat16ToFloats(Uint16Array.from(numbers));
  return type === FLOAT || type === DOUBLE ? Float32Array.from(numbers) : toInt32(numbers, place);
}

function fromBytes(buffer: ArrayBuffer, type: number, place: string): Constant['data'] {
  switch (type) {
    case FLOAT:
      return new Float32Array(buffer);
    case DOUBLE:
      return Float32Array.from(new Float64Array(buffer));
    case FLOAT16:
      return float16ToFloats(new Uint16Array(buffer));
    case BFLOAT16:
      return bfloat16ToFloats(new Uint16Array(buffer));
    case INT64:
      return toInt32(Array.from(new BigInt64Array(buffer), Number), place);
    default:
      return Int32Array.from(type === BOOL ? new Uint8Array(buffer) : new Int32Array(buffer));
  }
}

/** The ends of int64 mean "to the end" in slices, and are cut to those of int32. */
function toInt32(numbers: readonly number[], place: string): Int32Array {
  return Int32Array.from(numbers, (value) => {
    if (Math.abs(value) >= 2 ** 62) return value > 0 ? 2 ** 31 - 1 : -(2 ** 31);
    if (value > 2 ** 31 - 1 || value < -(2 ** 31)) throw corrupt(place, `holds ${value}, which int32 does not`);
    return value;
  });
}

/** External data lie beside the model: no other folder can be named. */
function externalBytes(proto: TensorProto, length: number, folder: string | undefined, place: string): Uint8Array {
  const facts = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = facts.get('location') ?? '';
  const offset = Number(facts.get('offset') ?? 0);
  if (folder === undefined) throw corrupt(place, 'lies in another file; import the model by its path');
  const file = path.resolve(folder, location);
  const isInside = location !== '' && file.startsWith(`${path.resolve(folder)}${path.sep}`);
  if (!isInside || !Number.isSafeInteger(offset) || offset < 0) throw corrupt(place, `lies at '${location}'`);
  let handle: number | undefined;
  try {
    if (!realpathSync(file).startsWith(`${realpathSync(folder)}${path.sep}`))
      throw corrupt(place, `lies at '${location}'`);
    handle = openSync(file, 'r');
    if (fstatSync(handle).size < offset + length) throw corrupt(place, `lies beyond the end of '${location}'`);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) at += readSync(handle, bytes, at, length - at, offset + at);
    return bytes;
  } catch (error) {
    if (error instanceof SilverlodeError) throw error;
    throw new SilverlodeError(
      'IO_ERROR',
      `tensor '${place}': ${(error as Error).message}`,
      { tensor: place },
      { cause: error },
    );
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

export function corrupt(tensor: string, what: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `tensor '${tensor}' of the ONNX model ${what}`, { tensor });
}
