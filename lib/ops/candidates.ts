import type { AnyTensor } from '../program/trace.js';

/** Candidates of each request as rerankers read them: item embeddings and feature columns by row. */
export interface CandidateInputs {
  /** int8 [n, Dp] with `embeddingScales` float32 [n], or float16 / float32 [n, D]. */
  embeddings: AnyTensor;
  embeddingScales?: AnyTensor;
  /** int32 [batch, m]: row of `embeddings` of each candidate, -1 for a missing one. */
  embeddingIndex: AnyTensor;
  /** float32 [items, F]. */
  features?: AnyTensor;
  /** int32 [batch, m]: row of `features`. */
  featureIndex?: AnyTensor;
}

/** In the order in which ops take them. */
export function candidateOperands(candidates: CandidateInputs): (AnyTensor | undefined)[] {
  const { embeddings, embeddingScales, embeddingIndex, features, featureIndex } = candidates;
  return [embeddings, embeddingScales, embeddingIndex, features, featureIndex];
}
