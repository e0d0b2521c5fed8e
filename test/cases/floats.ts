// Float tensors of the case tables, also in half precision.
import { type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { normals } from './op_case.js';

/** Dtypes of weights and tables. */
export type FloatDType = 'float32' | 'float16' | 'bfloat16';
export const FLOAT_DTYPES: readonly FloatDType[] = ['float32', 'float16', 'bfloat16'];

export const FLOAT_BYTES: Readonly<Record<FloatDType, number>> = { float32: 4, float16: 2, bfloat16: 2 };

/** Zeros, infinities, NaN, subnormals and the largest numbers. */
export const SPECIAL = [0, -0, 1, -1, 1e-45, -1e-40, 3.4e38, -3.4e38, Infinity, -Infinity, NaN];

/** Normal deviates, rounded to the dtype. */
export function floats(random: Random, dtype: FloatDType, ...shape: number[]): Tensor {
  const values = normals(
    random,
    shape.reduce((product, dim) => product * dim, 1),
  );
  return dtype === 'float32' ? tensor(values, { shape }) : tensor(Array.from(values), { dtype, shape });
}

/** Normal deviates among which every fourth is special. */
export function specials(random: Random, count: number): Float32Array {
  return normals(random, count).map((value) => (random.chance(0.25) ? random.pick(SPECIAL) : value));
}
