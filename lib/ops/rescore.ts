import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import type { Metric } from './ivf_probe.js';

/**
 * Scores of candidates from float rows, finer than those of int8 ones: inner product, cosine or negative squared distance, the
 * best over heads. Sums are taken in one fixed order, so every SIMD level and every device gives the same bits.
 *
 * @param users float32 [batch, heads, D]; of unit length for cosine
 * @param vectors float16 or float32 [n, D]
 * @param index int32 [batch, m]: rows of `vectors`, -1 for a missing candidate
 * @returns float32 [batch, m], -Infinity where missing
 */
export function rescore<I extends AnyTensor>(
  users: I,
  vectors: AnyTensor,
  index: AnyTensor,
  options: { metric?: Metric } = {},
): OpResult<I, As<I, 'float32'>> {
  const attributes = { metric: options.metric ?? 'ip' };
  return dispatch<I, As<I, 'float32'>>('rescore', [users, vectors, index], attributes, ([scores]) => scores);
}
