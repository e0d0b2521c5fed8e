import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { FLOAT_BYTES } from './floats.js';
import type { Metric } from './ivf_index.js';
import { defineCases, integers, normals, tensorOf } from './op_case.js';

interface Sizes {
  metric: Metric;
  dtype: 'float16' | 'float32';
  batch: number;
  heads: number;
  dim: number;
  /** Candidates of each request. */
  m: number;
  rows?: number;
  /** Probability of a missing candidate. */
  missing?: number;
  /** Rows of zeros, and a user of zeros. */
  zeros?: boolean;
  /** What rows are multiplied by. */
  scale?: number;
}

export interface Input {
  users: Tensor<'float32'>;
  vectors: Tensor<'float16' | 'float32'>;
  index: Tensor<'int32'>;
  metric: Metric;
}

function make(sizes: Sizes, random: Random): Input {
  const { metric, dtype, batch, heads, dim, m, rows = 50, missing = 0.2, zeros = false, scale = 1 } = sizes;
  const users = normals(random, batch * heads * dim);
  for (let i = 0; i < users.length; i += dim) {
    const length = Math.hypot(...users.subarray(i, i + dim));
    for (let d = i; d < i + dim; d++) users[d] = zeros && i === 0 ? 0 : (users[d] as number) / length;
  }
  const vectors = normals(random, rows * dim).map((x, i) => (zeros && Math.floor(i / dim) % 3 === 0 ? 0 : x * scale));
  const index = integers(random, batch * m, 0, rows - 1).map((row) => (random.chance(missing) ? -1 : row));
  return {
    users: tensorOf(users, batch, heads, dim),
    vectors: tensor(Array.from(vectors), { dtype, shape: [rows, dim] }),
    index: tensorOf(index, batch, m),
    metric,
  };
}

const METRICS: readonly Metric[] = ['ip', 'cosine', 'l2'];
const DTYPES = ['float16', 'float32'] as const;
const small = { batch: 2, heads: 3, m: 9 };

export const cases = defineCases<Sizes, Input>(
  [
    ...METRICS.flatMap((metric) =>
      DTYPES.flatMap((dtype) => [
        ...[1, 31, 32, 33, 64, 100, 384].map((dim) => ({ ...small, metric, dtype, dim })),
        ...[1, 3].flatMap((heads) => [0, 1, 7].map((batch) => ({ metric, dtype, batch, heads, dim: 40, m: 21 }))),
        { ...small, metric, dtype, dim: 37, zeros: true },
        ...(dtype === 'float16' ? [1e-7, 1e-4, 1e4] : [1e-45, 1e-38, 1e-20, 1e15, 1e25]).map((scale) => ({
          ...small,
          metric,
          dtype,
          dim: 70,
          scale,
        })),
        { name: 'several tasks', metric, dtype, batch: 5, heads: 2, dim: 65, m: 400, missing: 0.01 },
      ]),
    ),
    { name: 'all missing', ...small, metric: 'l2', dtype: 'float32', dim: 5, missing: 1 },
    { name: 'no rows', ...small, metric: 'ip', dtype: 'float16', dim: 5, rows: 0, missing: 1 },
    { name: 'no candidates', ...small, metric: 'ip', dtype: 'float32', dim: 5, m: 0 },
    { name: 'no heads', ...small, metric: 'cosine', dtype: 'float16', dim: 5, heads: 0 },
    { name: 'no columns', ...small, metric: 'cosine', dtype: 'float32', dim: 0 },
    ...METRICS.flatMap((metric) =>
      DTYPES.flatMap((dtype) => [
        { bench: true, metric, dtype, batch: 1, heads: 1, dim: 128, m: 130, rows: 100_000, missing: 0 },
        { bench: true, metric, dtype, batch: 64, heads: 1, dim: 128, m: 1000, rows: 100_000, missing: 0 },
      ]),
    ),
  ],
  make,
  ({ dtype, batch, heads, dim, m }) => ({
    bytes: batch * m * (dim * FLOAT_BYTES[dtype] + 8),
    operations: 2 * batch * heads * m * dim,
  }),
);

export const run = async ({ users, vectors, index, metric }: Input) => ({
  scores: await ops.rescore(users, vectors, index, { metric }),
});
