// Values while a graph is lowered: tensors of the program, numbers that are known, and sizes.
import { SymbolicTensor } from '../program/trace.js';
import type { Dim } from '../tensor/shape.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { Constant } from './constants.js';

/** A list of sizes, or one of them (`scalar`); some are symbols. */
export interface Sizes {
  sizes: readonly Dim[];
  scalar: boolean;
}

export type Value = SymbolicTensor | Constant | Sizes;

export const isConstant = (value: Value): value is Constant => 'data' in value;
export const isSizes = (value: Value): value is Sizes => 'sizes' in value;
export const isTensor = (value: Value): value is SymbolicTensor => value instanceof SymbolicTensor;

/** Whole numbers or symbols of a value that is known, undefined of a tensor. */
export function sizesOf(value: Value): Sizes | undefined {
  if (isSizes(value)) return value;
  if (!isConstant(value) || value.shape.length > 1 || !isTypedArrayOf(value.data, Int32Array)) return undefined;
  return { sizes: [...value.data], scalar: value.shape.length === 0 };
}

/** As a constant, where no size is a symbol. */
export function settled(value: Value): Value {
  if (!isSizes(value) || value.sizes.some((size) => typeof size === 'string')) return value;
  return { data: Int32Array.from(value.sizes as number[]), shape: value.scalar ? [] : [value.sizes.length] };
}

/** Elements of a constant by place, row after row, under another order of its axes. */
export function transposed({ data, shape }: Constant, order: readonly number[]): Constant {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const turned = order.map((axis) => shape[axis] as number);
  const made = data.slice();
  const index = new Array<number>(turned.length).fill(0);
  for (let at = 0; at < made.length; at++) {
    let from = 0;
    for (const [place, axis] of order.entries()) from += (index[place] as number) * (strides[axis] as number);
    made[at] = data[from] as number;
    for (let axis = turned.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (turned[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return { data: made, shape: turned };
}

/**
 * A shape with one open place (-1) and places that are kept (0), for a tensor of another shape.
 *
 * @returns undefined where the open place is no number and no symbol.
 */
export function resolvedShape(target: readonly Dim[], from: readonly Dim[]): Dim[] | undefined {
  const dims = target.map((dim, axis) => (dim === 0 ? (from[axis] ?? 0) : dim));
  const open = dims.indexOf(-1);
  if (open < 0) return dims;
  const left = [...from];
  let [numbers, known] = [1, 1];
  for (const dim of dims) {
    if (typeof dim === 'number') {
      if (dim !== -1) known *= dim;
      continue;
    }
    const at = left.indexOf(dim);
    if (at < 0) return undefined;
    left.splice(at, 1);
  }
  const symbols = left.filter((dim) => typeof dim === 'string');
  for (const dim of left) if (typeof dim === 'number') numbers *= dim;
  if (symbols.length > 1 || numbers % known !== 0 || (symbols.length === 1 && numbers !== known)) return undefined;
  dims[open] = symbols[0] ?? numbers / known;
  return dims;
}
