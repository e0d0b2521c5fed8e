import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

function unary<I extends AnyTensor>(name: string, x: I): OpResult<I, As<I, 'float32'>> {
  return dispatch<I, As<I, 'float32'>>('elementwise', [x], { function: name }, ([y]) => y);
}

function binary<I extends AnyTensor>(name: string, a: I, b: AnyTensor): OpResult<I, As<I, 'float32'>> {
  return dispatch<I, As<I, 'float32'>>('elementwise', [a, b], { function: name }, ([y]) => y);
}

/**
 * a + b, float32; b has the shape of a, a suffix of it that is repeated over the leading dimensions, or the shape of a with a
 * last dimension of 1: one number per row.
 */
export function add<I extends AnyTensor>(a: I, b: AnyTensor): OpResult<I, As<I, 'float32'>> {
  return binary('add', a, b);
}

/** a * b, shapes as in `add`. */
export function multiply<I extends AnyTensor>(a: I, b: AnyTensor): OpResult<I, As<I, 'float32'>> {
  return binary('multiply', a, b);
}

/** max(x, 0) per element, float32. */
export function relu<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return unary('relu', x);
}

/** x · Φ(x) per element with the exact normal distribution function, float32. */
export function gelu<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return unary('gelu', x);
}

/** x · sigmoid(x) per element, float32. */
export function silu<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return unary('silu', x);
}

/** 1 / (1 + exp(-x)) per element, float32. */
export function sigmoid<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return unary('sigmoid', x);
}

/** tanh(x) per element, float32. */
export function tanh<I extends AnyTensor>(x: I): OpResult<I, As<I, 'float32'>> {
  return unary('tanh', x);
}
