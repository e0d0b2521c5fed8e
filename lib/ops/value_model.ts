import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Operands of a value formula. */
export interface ValueModelInputs<I> {
  /** float32 [batch, m, T]: task logits. */
  logits?: AnyTensor;
  /** float32 [batch, m]: retrieval scores. */
  scores: I;
  /** int32 [batch, m]: item ordinals, -1 for a missing candidate. */
  ordinals: AnyTensor;
  /** float32 [items, F]: item columns. */
  columns?: AnyTensor;
  /** float32 [batch, NW]: request weights. */
  weights?: AnyTensor;
  /** int32 [n, 2] and float32 [c] of a compiled formula. */
  steps: AnyTensor;
  constants: AnyTensor;
}

/**
 * One formula over task logits, retrieval score, request weights and item columns. Every operation is one float32 operation,
 * rounded once; IEEE results for division by zero and log of 0.
 *
 * @returns float32 [batch, m]; -Infinity for a missing candidate
 */
export function valueModel<I extends AnyTensor>(inputs: ValueModelInputs<I>): OpResult<I, As<I, 'float32'>> {
  const { logits, scores, ordinals, columns, weights, steps, constants } = inputs;
  return dispatch<I, As<I, 'float32'>>(
    'value_model',
    [logits, scores, ordinals, columns, weights, steps, constants],
    {},
    ([values]) => values,
  );
}
