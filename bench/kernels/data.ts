// Inputs of kernels: random blocks repeated to size, since what lies in a large tensor does not change how fast it is read.
import { type DType, type Tensor, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';

const BLOCK = 2 ** 20;

type ArrayType = { new (length: number): Float32Array | Int8Array | Int32Array | Uint16Array };

function repeated(Type: ArrayType, elements: number, next: () => number) {
  const values = new Type(elements);
  const block = Math.min(BLOCK, elements);
  for (let i = 0; i < block; i++) values[i] = next();
  for (let done = block; done < elements; done += Math.min(done, elements - done))
    values.copyWithin(done, 0, Math.min(done, elements - done));
  return values;
}

const random = new Random(1);

export function normals(shape: readonly number[]): Tensor {
  return tensor(
    repeated(Float32Array, size(shape), () => random.normal()),
    { shape },
  ) as Tensor;
}

/** bfloat16 bits of normals. */
export function bfloat16Normals(shape: readonly number[]): Tensor {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  const next = () => {
    float[0] = random.normal();
    return (bits[0] as number) >>> 16;
  };
  return tensor(repeated(Uint16Array, size(shape), next), { dtype: 'bfloat16', shape }) as Tensor;
}

export function int8s(shape: readonly number[]): Tensor {
  return tensor(
    repeated(Int8Array, size(shape), () => random.integer(255) - 127),
    { shape },
  ) as Tensor;
}

export function constant(shape: readonly number[], value: number): Tensor {
  return tensor(new Float32Array(size(shape)).fill(value), { shape }) as Tensor;
}

export function int32s(shape: readonly number[], at: (i: number) => number): Tensor {
  return tensor(
    Int32Array.from({ length: size(shape) }, (_, i) => at(i)),
    { shape },
  ) as Tensor;
}

/** Words of bits, each set with a probability. */
export function bits(shape: readonly number[], probability: number): Tensor {
  const words = new BigInt64Array(size(shape));
  const bytes = new Uint8Array(words.buffer);
  const pattern = Uint8Array.from({ length: Math.min(BLOCK, bytes.length) }, () => {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) byte |= Number(random.chance(probability)) << bit;
    return byte;
  });
  for (let done = 0; done < bytes.length; done += pattern.length)
    bytes.set(pattern.subarray(0, bytes.length - done), done);
  return tensor(words, { shape }) as Tensor;
}

/** `count` distinct numbers below `limit`. */
export function sample(limit: number, count: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.integer(limit));
  return [...chosen];
}

export const int64s = (values: readonly bigint[], shape: readonly number[]): Tensor =>
  tensor(BigInt64Array.from(values), { shape }) as Tensor;

export const empty = (dtype: DType, shape: readonly number[]): Tensor => tensor([], { dtype, shape }) as Tensor;

function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}
