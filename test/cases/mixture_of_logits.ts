import { ops, type Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { type CandidateSizes, type Candidates, makeCandidates } from './candidates.js';
import { FLOAT_BYTES, FLOAT_DTYPES, type FloatDType, floats } from './floats.js';
import { defineCases } from './op_case.js';

interface Sizes extends CandidateSizes {
  /** Components of users, of items, and the dimensions of each. */
  components: readonly [number, number, number];
  tasks: number;
  weights?: FloatDType;
  bias?: boolean;
  crossGate?: boolean;
  temperature?: number;
}

export interface Input extends Candidates {
  user: Tensor;
  userGates: Tensor;
  item: { weight: Tensor; bias?: Tensor };
  itemGate: { weight: Tensor; bias?: Tensor };
  crossGate?: { weight: Tensor };
  temperature: number;
}

function make(sizes: Sizes, random: Random): Input {
  const { batch, dim, features = 0, components, tasks, weights = 'float32' } = sizes;
  const { bias = true, crossGate = true, temperature = 0.5 } = sizes;
  const [p, q, d] = components;
  const pairs = p * q;
  const layer = (out: number) => ({
    weight: floats(random, weights, out, dim + features),
    bias: bias ? floats(random, 'float32', out) : undefined,
  });
  return {
    user: floats(random, 'float32', batch, p, d),
    userGates: floats(random, 'float32', batch, tasks, pairs),
    ...makeCandidates(sizes, random),
    item: layer(q * d),
    itemGate: layer(tasks * pairs),
    crossGate: crossGate ? { weight: floats(random, weights, tasks * pairs, pairs) } : undefined,
    temperature,
  };
}

const base = { batch: 3, dim: 9, m: 7, features: 3, components: [3, 2, 5], tasks: 2 } as const;

export const cases = defineCases<Sizes, Input>(
  [
    ...(['int8', 'float16', 'float32'] as const).map((embeddings) => ({ ...base, embeddings })),
    ...FLOAT_DTYPES.map((weights) => ({ ...base, weights })),
    ...[1, 8, 31, 32, 33].map((dim) => ({ ...base, batch: 2, dim, features: 0 })),
    ...[0, 1, 2, 28, 29, 64, 65, 230].map((m) => ({ ...base, batch: 2, dim: 4, m, features: 0 })),
    ...(
      [
        [1, 1, 1],
        [1, 4, 16],
        [4, 1, 17],
        [4, 4, 15],
        [8, 4, 33],
        [33, 2, 3],
        [2, 9, 4],
      ] as const
    ).map((components) => ({ ...base, components })),
    ...[1, 5].map((tasks) => ({ ...base, tasks })),
    ...[0.05, 1, 20].map((temperature) => ({ ...base, temperature })),
    { ...base, bias: false },
    { ...base, crossGate: false },
    { ...base, bias: false, crossGate: false, features: 0 },
    { ...base, missing: 1 },
    { name: 'no requests', ...base, batch: 0 },
    { bench: true, batch: 1, dim: 64, m: 10_000, features: 11, components: [8, 4, 64], tasks: 2 },
    { bench: true, batch: 16, dim: 128, m: 1000, components: [8, 8, 64], tasks: 3, weights: 'float16' },
  ],
  make,
  ({ batch, dim, m, features = 0, components: [p, q, d], tasks, weights = 'float32' }) => {
    const x = dim + features;
    const weightsPerPair = q * d * x + tasks * p * q * (x + p * q);
    return {
      bytes: batch * m * (dim + 4 * (features + tasks + 1)) + FLOAT_BYTES[weights] * weightsPerPair,
      operations: 2 * batch * m * (weightsPerPair + p * q * d),
    };
  },
);

export const run = async (input: Input) => ({ y: await ops.mixtureOfLogits(input) });
