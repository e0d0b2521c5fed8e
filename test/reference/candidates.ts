import type { Candidates } from '../cases/candidates.js';
import { widened } from './half.js';

/** A candidate that is not missing: its request, its place among all candidates, its embedding and its features. */
export interface Candidate {
  request: number;
  at: number;
  item: number[];
  features: number[];
}

/** Logits [batch, m, tasks] out of those of every candidate; 0 where one is missing. */
export function perCandidate(
  given: Candidates,
  dim: number,
  tasks: number,
  score: (candidate: Candidate) => number[],
): Float64Array {
  const { embeddings, embeddingScales, embeddingIndex, features, featureIndex } = given;
  const [batch, m] = embeddingIndex.shape as [number, number];
  const stride = embeddings.shape[1] as number;
  const table = embeddings.dtype === 'int8' ? (embeddings.view() as Int8Array) : widened(embeddings);
  const scales = embeddingScales && widened(embeddingScales);
  const width = features?.shape[1] ?? 0;
  const logits = new Float64Array(batch * m * tasks);
  embeddingIndex.view().forEach((row, at) => {
    if (row < 0) return;
    const item = Array.from(table.subarray(row * stride, row * stride + dim), (x) =>
      Math.fround(x * (scales?.[row] ?? 1)),
    );
    const feature = (featureIndex?.view()[at] as number) * width;
    const own = features ? [...widened(features).subarray(feature, feature + width)] : [];
    logits.set(score({ request: Math.floor(at / m), at, item, features: own }), at * tasks);
  });
  return logits;
}
