// Binary bodies, for callers to whom JSON numbers cost too much. All numbers are little-endian.
//
//   bytes 0 to 3      length n of the head, uint32
//   bytes 4 to 4+n    the head: UTF-8 JSON
//   then zeros up to a multiple of 8, and the arrays of the body
//
// Request: the head is a retrieve request without `embedding`, with `heads` (default 1); the rest of the body is the embedding,
// float32 [heads, dims], nothing for a request by `user`; or, with `inputs`, inputs of the tower, float32, as many numbers of each
// as it says, in that order. Further inputs may be in `user`.
//
// Response: the head is {count, ids, tasks, items, next, unknown, stats, partial}, `items`, `next` and `unknown` as in JSON where there are such. `ids` says what the first array holds: 'int64' [count] (numbers and bigints),
// or 'json' when the head has the ids themselves in `names`. Then scores, float32 [count], then one float32 [count] per name in
// `tasks`, in that order. Each array ends with zeros up to a multiple of 8.
import { SilverlodeError } from '../../errors.js';
import { parseJson } from '../../io/json.js';
import type { RetrieveResult } from '../../retrieval/types.js';
import type { ModelFacts } from '../served_model.js';
import { type JsonRequest, jsonId, jsonItem } from './json.js';

const ALIGNMENT = 8;
const PREFIX = 4;

/** The head of a binary request. */
export type BinaryHead = Omit<JsonRequest, 'embedding'> & { heads?: number; inputs?: Readonly<Record<string, number>> };

/** `exact` is the head with integers beyond 2^53 as bigints. @throws SilverlodeError `INVALID_ARGUMENT` for a body that is none. */
export function readBinary(body: Buffer): { head: unknown; exact: unknown; embedding: Float32Array } {
  const length = body.length < PREFIX ? -1 : body.readUInt32LE(0);
  if (length < 0 || PREFIX + length > body.length) throw malformed('it is shorter than its head');
  const begin = Math.min(align(PREFIX + length), body.length);
  const bytes = body.subarray(begin);
  if (bytes.length % 4 !== 0) throw malformed(`${bytes.length} bytes are no float32 array`);
  const embedding = new Float32Array(bytes.length / 4);
  for (let i = 0; i < embedding.length; i++) embedding[i] = bytes.readFloatLE(4 * i);
  return { ...readJson(body.toString('utf8', PREFIX, PREFIX + length), 'head'), embedding };
}

/** Heads of equal length. @throws SilverlodeError `SHAPE_MISMATCH`. */
export function splitHeads(embedding: Float32Array, heads: number): Float32Array | Float32Array[] {
  if (heads === 1) return embedding;
  const dims = embedding.length / heads;
  if (!Number.isInteger(dims))
    throw new SilverlodeError('SHAPE_MISMATCH', `${embedding.length} numbers do not make ${heads} heads`);
  return Array.from({ length: heads }, (_, head) => embedding.subarray(head * dims, (head + 1) * dims));
}

/** Inputs of the tower, one after another. @throws SilverlodeError `SHAPE_MISMATCH`. */
export function splitInputs(values: Float32Array, inputs: Readonly<Record<string, number>>): Map<string, Float32Array> {
  const split = new Map<string, Float32Array>();
  let at = 0;
  for (const [name, length] of Object.entries(inputs)) {
    split.set(name, values.subarray(at, at + length));
    at += length;
  }
  if (at !== values.length)
    throw new SilverlodeError('SHAPE_MISMATCH', `inputs are ${at} numbers in all, the body holds ${values.length}`);
  return split;
}

/** The body of a binary response. @param kind Type of the model's ids. */
export function writeBinary(result: RetrieveResult, kind: ModelFacts['ids']): Buffer {
  const { ids, scores, tasks = {}, items, next, unknown, stats, partial } = result;
  const named = kind === 'string';
  const names = Object.keys(tasks);
  const head = {
    count: ids.length,
    ids: named ? 'json' : 'int64',
    names: named ? ids : undefined,
    tasks: names,
    items: items?.map(jsonItem),
    next,
    unknown: unknown?.map(jsonId),
    stats,
    partial,
  };
  const text = Buffer.from(JSON.stringify(head));
  const arrays: ArrayBufferView[] = named ? [] : [BigInt64Array.from(ids as (number | bigint)[], BigInt)];
  arrays.push(scores, ...names.map((name) => tasks[name] as Float32Array));
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32LE(text.length);
  return Buffer.concat([padded(Buffer.concat([prefix, text])), ...arrays.map(padded)]);
}

function padded({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  return Buffer.concat([bytes], align(byteLength));
}

/** @internal The multiple of 8 from `length` on. */
export const align = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/**
 * JSON out of a body that is not JSON as a whole; `exact` has integers beyond 2^53 as bigints.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT`.
 */
export function readJson(text: string, part: string): { head: unknown; exact: unknown } {
  try {
    const head = JSON.parse(text, (key, value) => {
      if (key === '__proto__' || key === 'constructor') throw malformed(`its ${part} has the key '${key}'`);
      return value;
    });
    return { head, exact: parseJson(text) };
  } catch (error) {
    throw error instanceof SilverlodeError ? error : malformed(`its ${part} is not JSON: ${(error as Error).message}`);
  }
}

function malformed(reason: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', `malformed binary body: ${reason}`);
}
