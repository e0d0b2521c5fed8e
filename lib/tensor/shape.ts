import { SilverlodeError } from '../errors.js';

/** A dimension of a symbolic tensor: a number, or the name of a symbol such as `'batch'` that is known at run time. */
export type Dim = number | string;

export const MAX_RANK = 6;

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Checks a concrete shape: up to 6 non-negative integers whose product is a safe integer. */
export function requireShape(shape: readonly number[]): readonly number[] {
  const fits =
    Array.isArray(shape) && shape.length <= MAX_RANK && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || !Number.isSafeInteger(elementCount(shape))) {
    throw new SilverlodeError(
      'INVALID_ARGUMENT',
      `a shape is a list of at most ${MAX_RANK} integers >= 0, got ${JSON.stringify(shape)}`,
    );
  }
  return shape;
}

export function shapeText(shape: readonly Dim[]): string {
  return `[${shape.join(', ')}]`;
}
