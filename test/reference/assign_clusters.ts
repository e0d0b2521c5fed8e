import type { Input } from '../cases/assign_clusters.js';
import { fma } from './fma.js';

/** Every score of a row, sorted. */
export function assignClusters({ rows, centroids, nearest = 1 }: Input) {
  const [n, dim] = rows.shape as [number, number];
  const count = centroids.shape[0] as number;
  const clusters = new Int32Array(n * nearest).fill(-1);
  const scores = new Float32Array(n * nearest).fill(Number.NEGATIVE_INFINITY);
  const row = (of: Float32Array, index: number) => of.subarray(index * dim, (index + 1) * dim);
  for (let i = 0; i < n; i++) {
    const x = row(rows.view(), i);
    Array.from({ length: count }, (_, id) => {
      const c = row(centroids.view(), id);
      const product = x.reduce((sum, value, d) => fma(value, c[d] as number, sum), 0);
      const score = Math.fround(product - halfNorm(c));
      return { id, score: Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score };
    })
      .sort((a, b) => (a.score === b.score ? a.id - b.id : b.score - a.score))
      .slice(0, nearest)
      .forEach(({ id, score }, rank) => {
        clusters[i * nearest + rank] = id;
        scores[i * nearest + rank] = score;
      });
  }
  return { clusters, scores };
}

function halfNorm(values: Float32Array): number {
  return Math.fround(values.reduce((sum, value) => sum + value * value, 0) / 2);
}
