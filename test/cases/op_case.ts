// The case tables of the ops, shared by tests and benchmarks: they import only the public package and seeded randomness.
import { type ArrayOf, type DType, type Tensor, type TensorData, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';

/** What one run must move and compute at least: the benchmark reports GB/s and Gop/s of it. */
export interface Cost {
  readonly bytes: number;
  readonly operations: number;
}

/** One input of an op, the same on every call. Tests run those without `bench`, benchmarks those with it. */
export interface OpCase<Input> {
  readonly name: string;
  readonly seed: number;
  readonly sizes: object;
  readonly bench: boolean;
  readonly input: () => Input;
  readonly cost: () => Cost;
}

/** A row of a case table: sizes, with a name where they do not say what the case is about. */
export type CaseRow<Sizes> = Sizes & { readonly name?: string; readonly bench?: boolean };

/** The cases of a table; the seed of a case is its place in it. */
export function defineCases<Sizes extends object, Input>(
  table: readonly CaseRow<Sizes>[],
  make: (sizes: Sizes, random: Random) => Input,
  cost: (sizes: Sizes) => Cost,
): OpCase<Input>[] {
  return table.map(({ name, bench = false, ...sizes }, index) => {
    const seed = index + 1;
    const own = sizes as unknown as Sizes;
    const text = Object.entries(sizes).map(([key, value]) => `${key} ${value}`);
    return {
      name: [...(name === undefined ? [] : [`${name}:`]), ...text].join(' '),
      seed,
      sizes,
      bench,
      input: () => make(own, new Random(seed)),
      cost: () => cost(own),
    };
  });
}

/** A tensor of the dtype that the array stands for. */
export function tensorOf<A extends TensorData>(data: A, ...shape: number[]): Tensor<DTypeOf<A>> {
  return tensor(data, { shape }) as unknown as Tensor<DTypeOf<A>>;
}

type DTypeOf<A> = {
  [D in Exclude<DType, 'float16' | 'bfloat16'>]: A extends ArrayOf<D> ? D : never;
}[Exclude<DType, 'float16' | 'bfloat16'>];

/** Normal deviates as float32. */
export function normals(random: Random, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal());
}

/** Integers from `low` to `high`, both included. */
export function integers(random: Random, count: number, low: number, high: number): Int32Array {
  return Int32Array.from({ length: count }, () => low + random.integer(high - low + 1));
}

/** Quantised values: int8 in [-127, 127]. */
export function int8s(random: Random, count: number): Int8Array {
  return Int8Array.from({ length: count }, () => random.integer(255) - 127);
}

/** Each bit set with the given probability. */
export function randomBits(random: Random, words: number, share: number): BigInt64Array {
  const bits = new Uint32Array(2 * words);
  for (let row = 0; row < 64 * words; row++) {
    if (random.chance(share)) bits[row >> 5] = (bits[row >> 5] as number) | (1 << (row & 31));
  }
  return new BigInt64Array(bits.buffer);
}
