// The binary tensor data extension of the Open Inference Protocol: the JSON first, then the tensors' bytes one after another,
// little-endian; texts with their length before them (uint32). The header `inference-header-content-length` says where JSON ends.
import { SilverlodeError } from '../../errors.js';
import { bfloat16ToFloat, float16ToFloat } from '../../tensor/half.js';
import { readJson } from './binary.js';
import type { InferTensor } from './inference_tensors.js';

/** Where the JSON of a body ends. */
export const JSON_LENGTH = 'inference-header-content-length';

/** Bytes of an element, how to read it, and how to write it. */
interface ElementType {
  bytes: number;
  read: (data: Buffer, at: number) => number | bigint | boolean;
  write?: (data: Buffer, value: never, at: number) => void;
}

const TYPES: Readonly<Record<string, ElementType>> = {
  BOOL: { bytes: 1, read: (data, at) => data.readUInt8(at) !== 0 },
  INT8: { bytes: 1, read: (data, at) => data.readInt8(at) },
  INT16: { bytes: 2, read: (data, at) => data.readInt16LE(at) },
  INT32: {
    bytes: 4,
    read: (data, at) => data.readInt32LE(at),
    write: (data, value, at) => data.writeInt32LE(value, at),
  },
  INT64: {
    bytes: 8,
    read: (data, at) => data.readBigInt64LE(at),
    write: (data, value, at) => data.writeBigInt64LE(BigInt(value), at),
  },
  UINT8: { bytes: 1, read: (data, at) => data.readUInt8(at) },
  UINT16: { bytes: 2, read: (data, at) => data.readUInt16LE(at) },
  UINT32: { bytes: 4, read: (data, at) => data.readUInt32LE(at) },
  UINT64: { bytes: 8, read: (data, at) => data.readBigUInt64LE(at) },
  FP16: { bytes: 2, read: (data, at) => float16ToFloat(data.readUInt16LE(at)) },
  BF16: { bytes: 2, read: (data, at) => bfloat16ToFloat(data.readUInt16LE(at)) },
  FP32: {
    bytes: 4,
    read: (data, at) => data.readFloatLE(at),
    write: (data, value, at) => data.writeFloatLE(value, at),
  },
  FP64: { bytes: 8, read: (data, at) => data.readDoubleLE(at) },
};

/** All datatypes of the protocol. */
export const DATATYPES: readonly string[] = [...Object.keys(TYPES), 'BYTES'];

/** A body in its parts; `exact` is the JSON with integers beyond 2^53 as bigints. */
export interface InferBody {
  json: unknown;
  exact: unknown;
  tail: Buffer;
}

/**
 * @param length The header, undefined without one: all is JSON then.
 * @throws SilverlodeError `INVALID_ARGUMENT`.
 */
export function splitBody(body: Buffer, length: string | undefined): InferBody {
  const end = length === undefined ? body.length : Number(length);
  if (!Number.isInteger(end) || end < 0 || end > body.length)
    throw invalid(`${JSON_LENGTH} is ${length}, the body has ${body.length} bytes`);
  const { head, exact } = readJson(body.toString('utf8', 0, end), 'body');
  return { json: head, exact, tail: body.subarray(end) };
}

/** Inputs with their data, from the JSON or from what follows it. @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`. */
export function withData(inputs: readonly InferTensor[], tail: Buffer): InferTensor[] {
  let at = 0;
  const all = inputs.map((input) => {
    const { name, data, parameters: { binary_data_size: size } = {} } = input;
    if ((data === undefined) === (size === undefined))
      throw invalid(`input '${name}' needs either 'data' or the parameter 'binary_data_size'`, name);
    if (size === undefined) return input;
    if (at + Number(size) > tail.length) throw invalid(`the body ends within the data of '${name}'`, name);
    const bytes = tail.subarray(at, at + Number(size));
    at += bytes.length;
    return { ...input, data: input.datatype === 'BYTES' ? readTexts(name, bytes) : readNumbers(input, bytes) };
  });
  if (at !== tail.length) throw invalid(`${tail.length - at} bytes of the body belong to no input`);
  return all;
}

function readNumbers({ name, datatype }: InferTensor, bytes: Buffer): unknown[] {
  const { bytes: size, read } = TYPES[datatype] as ElementType;
  if (bytes.length % size !== 0) throw invalid(`'${name}' has ${bytes.length} bytes, which are no ${datatype}`, name);
  return Array.from({ length: bytes.length / size }, (_, i) => read(bytes, i * size));
}

function readTexts(name: string, bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : bytes.length;
    const end = at + 4 + length;
    if (end > bytes.length) throw invalid(`the texts of '${name}' are cut off`, name);
    texts.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return texts;
}

/** The bytes of a tensor. */
export function toBytes({ datatype, data = [] }: InferTensor): Buffer {
  if (datatype === 'BYTES') {
    const texts = (data as readonly string[]).map((text) => Buffer.from(text));
    return Buffer.concat(texts.flatMap((text) => [lengthOf(text), text]));
  }
  const { bytes, write } = TYPES[datatype] as ElementType;
  const buffer = Buffer.alloc(bytes * data.length);
  data.forEach((value, i) => {
    write?.(buffer, value as never, i * bytes);
  });
  return buffer;
}

function lengthOf(text: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return length;
}

function invalid(message: string, field?: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, { field });
}
