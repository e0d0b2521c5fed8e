// Binary bodies from the caller's side; the layout is in binary.ts.
import type { RetrieveStats } from '../../retrieval/types.js';
import { align, type BinaryHead } from './binary.js';

/** A result out of a binary body. */
export interface BinaryResult {
  /** Numbers and bigints both come as bigints. */
  ids: string[] | BigInt64Array;
  scores: Float32Array;
  /** Raw logits per task. */
  tasks: Record<string, Float32Array>;
  /** What was selected of every result. */
  items?: Record<string, unknown>[];
  /** Offset of the next page. */
  next?: number;
  /** Ids to rank that no item has; bigints as decimal strings. */
  unknown?: (string | number)[];
  stats: RetrieveStats;
}

interface ResultHead {
  count: number;
  ids: 'json' | 'int64';
  names?: string[];
  tasks: string[];
  items?: Record<string, unknown>[];
  next?: number;
  unknown?: (string | number)[];
  stats: RetrieveStats;
}

const PREFIX = 4;

/**
 * The body of a retrieve request, to be sent as `application/x-silverlode`.
 *
 * @param embedding float32 [heads, dims]; empty for a request by `user`; the values of all `inputs`, one after another, where
 * the head has them.
 * @example
 * ```ts
 * const type = 'application/x-silverlode';
 * const body = encodeBinaryRequest({ k: 20, filter: 'language:en' }, embedding);
 * const response = await fetch(url, { method: 'POST', headers: { 'content-type': type, accept: type }, body });
 * const { ids, scores } = decodeBinaryResult(await response.arrayBuffer());
 * ```
 */
export function encodeBinaryRequest(head: BinaryHead, embedding: Float32Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const begin = align(PREFIX + text.length);
  const body = new Uint8Array(begin + embedding.byteLength);
  const view = new DataView(body.buffer);
  view.setUint32(0, text.length, true);
  body.set(text, PREFIX);
  embedding.forEach((value, i) => {
    view.setFloat32(begin + 4 * i, value, true);
  });
  return body;
}

/** Reads the body of a binary response. */
export function decodeBinaryResult(body: ArrayBuffer): BinaryResult {
  const view = new DataView(body);
  const length = view.getUint32(0, true);
  const head: ResultHead = JSON.parse(new TextDecoder().decode(new Uint8Array(body, PREFIX, length)));
  let at = align(PREFIX + length);
  const next = (bytes: number): number => {
    const begin = at;
    at += align(bytes * head.count);
    return begin;
  };
  const floats = (): Float32Array => {
    const begin = next(4);
    return Float32Array.from({ length: head.count }, (_, i) => view.getFloat32(begin + 4 * i, true));
  };
  const bigints = (): BigInt64Array => {
    const begin = next(8);
    return BigInt64Array.from({ length: head.count }, (_, i) => view.getBigInt64(begin + 8 * i, true));
  };
  const ids = head.ids === 'json' ? (head.names ?? []) : bigints();
  const scores = floats();
  const tasks = Object.fromEntries(head.tasks.map((name) => [name, floats()]));
  const { items, next: page, unknown, stats } = head;
  return {
    ids,
    scores,
    tasks,
    ...(items && { items }),
    ...(page !== undefined && { next: page }),
    ...(unknown && { unknown }),
    stats,
  };
}
