// The case tables of the ops, shared by tests and benchmarks: they import only the public package and seeded randomness.
import { type Tensor, tensor } from 'silverlode';
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
    const text = Object.entries(sizes).map(([key, value]) => `${key} ${shown(value)}`);
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

function shown(value: unknown): string {
  return Array.isArray(value) && value.length > 8 ? `(${value.length} values)` : String(value);
}

type TensorArray = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

/** A tensor of the dtype that the array stands for. */
export function tensorOf<A extends TensorArray>(data: A, ...shape: number[]): Tensor<DTypeOf<A>> {
  return tensor(data, { shape }) as unknown as Tensor<DTypeOf<A>>;
}

type DTypeOf<A> = A extends Float32Array
  ? 'float32'
  : A extends Int8Array
    ? 'int8'
    : A extends Uint8Array
      ? 'uint8'
      : A extends Int32Array
        ? 'int32'
        : 'int64';

/** Normal deviates as float32. */
export function normals(random: Random, count: number): Float32Array {
  return new Float32Array(count).map(() => random.normal());
}

/** Integers from `low` to `high`, both included. */
export function integers(random: Random, count: number, low: number, high: number): Int32Array {
  return new Int32Array(count).map(() => low + random.integer(high - low + 1));
}

/** Quantised values: int8 in [-127, 127]. */
export function int8s(random: Random, count: number): Int8Array {
  const values = new Int8Array(count);
  for (let i = 0; i < count; i++) values[i] = random.integer(255) - 127;
  return values;
}

/** One bit per row, least significant first, `words` of 64 rows. */
export function bitsWhere(words: number, holds: (row: number) => boolean): BigInt64Array {
  const halves = new Uint32Array(2 * words);
  for (let row = 0; row < 64 * words; row++) {
    if (holds(row)) halves[row >> 5] = (halves[row >> 5] as number) | (1 << (row & 31));
  }
  return new BigInt64Array(halves.buffer);
}
