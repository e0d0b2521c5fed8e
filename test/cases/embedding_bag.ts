import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { FLOAT_BYTES, FLOAT_DTYPES, type FloatDType, floats, specials } from './floats.js';
import { defineCases, integers, tensorOf } from './op_case.js';

interface Sizes {
  vocabulary: number;
  dim: number;
  bags: number;
  /** Ids of a bag: so many on average. */
  ids: number;
  dtype?: FloatDType;
  mode?: 'sum' | 'mean';
  weights?: 'normal' | 'zero' | 'special';
  bag?: 'empty' | 'first only' | 'last only';
}

export interface Input {
  table: Tensor;
  ids: Tensor<'int32'>;
  offsets: Tensor<'int32'>;
  mode: 'sum' | 'mean';
  weights?: Tensor;
}

function make(sizes: Sizes, random: Random): Input {
  const { vocabulary, dim, bags, ids, dtype = 'float32', mode = 'sum', weights, bag } = sizes;
  const lengths = Array.from({ length: bags }, (_, i) => {
    if (bag === 'empty') return 0;
    if (bag === 'first only') return i === 0 ? ids : 0;
    if (bag === 'last only') return i === bags - 1 ? ids : 0;
    return random.integer(2 * ids + 1);
  });
  const offsets = Int32Array.from(lengths.keys(), (i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return {
    table:
      weights === 'special'
        ? tensor(specials(random, vocabulary * dim), { shape: [vocabulary, dim] })
        : floats(random, dtype, vocabulary, dim),
    ids: tensorOf(integers(random, count, 0, vocabulary - 1), count),
    offsets: tensorOf(offsets, bags),
    mode,
    weights: weights && (weights === 'zero' ? tensor(new Float32Array(count)) : floats(random, 'float32', count)),
  };
}

export const cases = defineCases<Sizes, Input>(
  [
    ...FLOAT_DTYPES.flatMap((dtype) =>
      (['sum', 'mean'] as const).flatMap((mode) => [
        { vocabulary: 50, dim: 33, bags: 9, ids: 4, dtype, mode },
        { vocabulary: 50, dim: 33, bags: 9, ids: 4, dtype, mode, weights: 'normal' as const },
      ]),
    ),
    ...[1, 7, 8, 9, 15, 16, 17, 64, 255, 256, 257, 600].map((dim) => ({
      vocabulary: 10,
      dim,
      bags: 3,
      ids: 3,
      dtype: 'float16' as const,
    })),
    ...(['empty', 'first only', 'last only'] as const).flatMap((bag) => [
      { vocabulary: 5, dim: 6, bags: 4, ids: 7, bag },
      { vocabulary: 5, dim: 6, bags: 4, ids: 7, bag, mode: 'mean' as const, weights: 'normal' as const },
    ]),
    { name: 'no bags', vocabulary: 5, dim: 6, bags: 0, ids: 0 },
    { name: 'no columns', vocabulary: 5, dim: 0, bags: 3, ids: 2 },
    { name: 'an empty table', vocabulary: 0, dim: 3, bags: 3, ids: 0, bag: 'empty' },
    { name: 'weights that add up to zero', vocabulary: 5, dim: 6, bags: 4, ids: 3, mode: 'mean', weights: 'zero' },
    { vocabulary: 9, dim: 6, bags: 8, ids: 3, mode: 'mean', weights: 'special' },
    { name: 'enough for several tasks', vocabulary: 500, dim: 48, bags: 300, ids: 10, mode: 'mean' },
    { bench: true, vocabulary: 100_000, dim: 64, bags: 64, ids: 50 },
    { bench: true, vocabulary: 100_000, dim: 64, bags: 64, ids: 50, dtype: 'float16', mode: 'mean' },
  ],
  make,
  ({ dim, bags, ids, dtype = 'float32' }) => ({
    bytes: bags * (ids * (dim * FLOAT_BYTES[dtype] + 4) + 4 * dim),
    operations: bags * ids * dim,
  }),
);

export const run = async ({ table, ids, offsets, mode, weights }: Input) => ({
  y: await ops.embeddingBag(table, ids, offsets, { mode, weights }),
});
