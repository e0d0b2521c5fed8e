import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { specials } from './floats.js';
import { defineCases, normals } from './op_case.js';

export const UNARY = ['relu', 'gelu', 'silu', 'sigmoid', 'tanh'] as const;
export const BINARY = ['add', 'multiply'] as const;

interface Sizes {
  op: (typeof UNARY)[number] | (typeof BINARY)[number];
  a: readonly number[];
  /** The shape of b, for the binary ones. */
  b?: readonly number[];
  values?: 'special' | 'every exponent';
}

export interface Input {
  op: Sizes['op'];
  a: Tensor;
  b?: Tensor;
}

const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function values(random: Random, shape: readonly number[], kind: Sizes['values']): Tensor {
  const count = size(shape);
  if (kind === 'special') return tensor(specials(random, count), { shape });
  if (kind === undefined)
    return tensor(
      normals(random, count).map((x) => 3 * x),
      { shape },
    );
  const bits = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * 2 ** 32) / count) + random.integer(4096));
  return tensor(new Float32Array(bits.buffer), { shape });
}

function make({ op, a, b, values: kind }: Sizes, random: Random): Input {
  return { op, a: values(random, a, kind), b: b && values(random, b, kind) };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...UNARY.flatMap((op) => [
      ...[0, 1, 7, 8, 9, 15, 16, 17, 33, 1000].map((length) => ({ op, a: [length] })),
      { op, a: [2, 3, 5] },
      { op, a: [] },
      { op, a: [50], values: 'special' as const },
      { op, a: [20_011], values: 'every exponent' as const },
    ]),
    ...BINARY.flatMap((op) => [
      ...[0, 1, 7, 8, 9, 15, 16, 17, 33, 1000].map((length) => ({ op, a: [length], b: [length] })),
      { op, a: [3, 5, 7], b: [3, 5, 7] },
      { op, a: [3, 5, 7], b: [5, 7] },
      { op, a: [3, 5, 7], b: [7] },
      { op, a: [3, 5, 7], b: [] },
      { op, a: [50, 1], b: [1] },
      { op, a: [3, 5, 7], b: [3, 5, 1] },
      { op, a: [200, 300], b: [200, 1] },
      { op, a: [7, 0], b: [7, 1] },
      { op, a: [0, 7], b: [7] },
      { op, a: [7, 0], b: [0] },
      { op, a: [40, 50], b: [50], values: 'special' as const },
      { op, a: [30_000], b: [30_000], values: 'every exponent' as const },
      { op, a: [300, 100], b: [100] },
    ]),
    { bench: true, op: 'add', a: [1_000_000], b: [1_000_000] },
    { bench: true, op: 'multiply', a: [10_000, 100], b: [100] },
    ...UNARY.map((op) => ({ bench: true, op, a: [1_000_000] })),
  ],
  make,
  ({ a, b }) => ({ bytes: 8 * size(a) + 4 * (b ? size(b) : 0), operations: size(a) }),
);

export const run = async ({ op, a, b }: Input) => ({
  y: (await (b ? ops[op as 'add'](a, b) : ops[op as 'relu'](a))) as Tensor<'float32'>,
});
