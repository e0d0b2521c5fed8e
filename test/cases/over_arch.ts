import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { type CandidateSizes, type Candidates, makeCandidates } from './candidates.js';
import { FLOAT_BYTES, FLOAT_DTYPES, type FloatDType, floats } from './floats.js';
import { ACTIVATIONS } from './linear.js';
import { defineCases } from './op_case.js';

interface Sizes extends CandidateSizes {
  heads: number;
  /** Outputs of each layer, the last one the tasks. */
  layers: readonly number[];
  weights?: FloatDType;
  bias?: boolean;
  activation?: (typeof ACTIVATIONS)[number];
}

export interface Input extends Candidates {
  user: Tensor;
  layers: { weight: Tensor; bias?: Tensor }[];
  activation: (typeof ACTIVATIONS)[number];
}

function make(sizes: Sizes, random: Random): Input {
  const { batch, heads, dim, features = 0, layers, weights = 'float32', bias = true, activation = 'relu' } = sizes;
  const inputs = [2 * heads * dim + dim + features, ...layers];
  return {
    user: floats(random, 'float32', batch, heads, dim),
    ...makeCandidates(sizes, random),
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
