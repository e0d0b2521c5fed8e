import { ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { FLOAT_BYTES, FLOAT_DTYPES, type FloatDType, floats } from './floats.js';
import { ACTIVATIONS } from './linear.js';
import { defineCases, int8s, integers, tensorOf } from './op_case.js';

interface Sizes {
  batch: number;
  heads: number;
  dim: number;
  /** Candidates per request. */
  m: number;
  features?: number;
  /** Outputs of each layer, the last one the tasks. */
  layers: readonly number[];
  embeddings?: 'int8' | 'float16' | 'float32';
  weights?: FloatDType;
  bias?: boolean;
  activation?: (typeof ACTIVATIONS)[number];
  /** Probability of a missing candidate. */
  missing?: number;
}

export interface Input {
  user: Tensor;
  embeddings: Tensor;
  embeddingScales?: Tensor;
  embeddingIndex: Tensor<'int32'>;
  features?: Tensor;
  featureIndex?: Tensor<'int32'>;
  layers: { weight: Tensor; bias?: Tensor }[];
  activation: (typeof ACTIVATIONS)[number];
}

const ITEMS = 40;

function make(sizes: Sizes, random: Random): Input {
  const { batch, heads, dim, m, features = 0, layers, embeddings = 'int8', weights = 'float32' } = sizes;
  const { bias = true, activation = 'relu', missing = 0.1 } = sizes;
  const padded = Math.ceil(dim / 32) * 32;
  const index = integers(random, batch * m, 0, ITEMS - 1).map((row) => (random.chance(missing) ? -1 : row));
  const inputs = [2 * heads * dim + dim + features, ...layers];
  return {
    user: floats(random, 'float32', batch, heads, dim),
    embeddings:
      embeddings === 'int8'
        ? tensorOf(int8s(random, ITEMS * padded), ITEMS, padded)
        : floats(random, embeddings, ITEMS, dim),
    embeddingScales:
      embeddings === 'int8' ? tensor(Float32Array.from({ length: ITEMS }, () => random.uniform() / 64)) : undefined,
    embeddingIndex: tensorOf(index, batch, m),
    features: features > 0 ? floats(random, 'float32', ITEMS, features) : undefined,
    // Where a candidate is missing its feature row must not matter.
    featureIndex:
      features > 0
        ? tensorOf(
            index.map((row) => (row < 0 ? 12345 : (row * 7) % ITEMS)),
            batch,
            m,
          )
        : undefined,
    layers: layers.map((out, layer) => ({
      weight: floats(random, weights, out, inputs[layer] as number),
      bias: bias ? floats(random, 'float32', out) : undefined,
    })),
    activation,
  };
}

const base = { batch: 3, heads: 2, dim: 9, m: 7, features: 3, layers: [17, 5, 2] } as const;

export const cases = defineCases<Sizes, Input>(
  [
    ...(['int8', 'float16', 'float32'] as const).map((embeddings) => ({ ...base, embeddings })),
    ...FLOAT_DTYPES.map((weights) => ({ ...base, weights })),
    ...ACTIVATIONS.map((activation) => ({ ...base, activation })),
    ...[1, 3].map((heads) => ({ ...base, heads })),
    ...[1, 8, 31, 32, 33].map((dim) => ({ ...base, batch: 2, dim, features: 0 })),
    ...[0, 1, 2, 12, 13, 64, 65, 130].map((m) => ({ batch: 2, heads: 1, dim: 4, m, layers: [6, 1] })),
    ...[[1], [3], [4, 3, 2, 4, 3, 2], [33, 16, 2]].map((layers) => ({ ...base, layers })),
    { ...base, bias: false },
    { ...base, layers: [2], bias: false },
    { ...base, missing: 1 },
    { name: 'no requests', ...base, batch: 0 },
    { bench: true, batch: 1, heads: 1, dim: 64, m: 10_000, features: 11, layers: [128, 64, 2] },
    { bench: true, batch: 16, heads: 1, dim: 128, m: 1000, features: 0, layers: [256, 128, 3], weights: 'float16' },
  ],
  make,
  ({ batch, heads, dim, m, features = 0, layers, weights = 'float32' }) => {
    const inputs = [dim + features, ...layers];
    const weightsPerPair = layers.reduce((sum, out, layer) => sum + out * (inputs[layer] as number), 0);
    return {
      bytes:
        batch * m * (dim + 4 * (features + 3)) +
        FLOAT_BYTES[weights] * (weightsPerPair + 2 * heads * dim * (layers[0] as number)),
      operations: 2 * batch * m * weightsPerPair,
    };
  },
);

export const run = async (input: Input) => ({ y: await ops.overArch(input) });
