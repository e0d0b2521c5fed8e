// Candidates of the rerankers' case tables.
import { type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { floats } from './floats.js';
import { int8s, integers, tensorOf } from './op_case.js';

/** Rows of the tables of embeddings and features. */
export const ITEMS = 40;

export interface CandidateSizes {
  batch: number;
  dim: number;
  /** Candidates per request. */
  m: number;
  features?: number;
  embeddings?: 'int8' | 'float16' | 'float32';
  /** Probability of a missing candidate. */
  missing?: number;
}

export interface Candidates {
  embeddings: Tensor;
  embeddingScales?: Tensor;
  embeddingIndex: Tensor<'int32'>;
  features?: Tensor;
  featureIndex?: Tensor<'int32'>;
}

export function makeCandidates(sizes: CandidateSizes, random: Random): Candidates {
  const { batch, dim, m, features = 0, embeddings = 'int8', missing = 0.1 } = sizes;
  const padded = Math.ceil(dim / 32) * 32;
  const index = integers(random, batch * m, 0, ITEMS - 1).map((row) => (random.chance(missing) ? -1 : row));
  return {
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
  };
}
