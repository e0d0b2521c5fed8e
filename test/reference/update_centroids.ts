import type { Input } from '../cases/update_centroids.js';

const { fround } = Math;

/** Means in float64; then each empty cluster splits the largest. */
export function updateCentroids({ rows, clusters, count }: Input) {
  const [n, dim] = rows.shape as [number, number];
  const sums = new Float64Array(count * dim);
  const sizes = new Int32Array(count);
  for (let row = 0; row < n; row++) {
    const cluster = clusters.view()[row] as number;
    sizes[cluster] = (sizes[cluster] as number) + 1;
    for (let d = 0; d < dim; d++) {
      sums[cluster * dim + d] = (sums[cluster * dim + d] as number) + (rows.view()[row * dim + d] as number);
    }
  }
  const centroids = Float32Array.from(sums, (sum, i) => sum / (sizes[Math.floor(i / dim)] as number));

  const left = [...sizes];
  sizes.forEach((size, empty) => {
    if (size > 0) return;
    const largest = left.indexOf(Math.max(...left));
    left[empty] = Math.floor((left[largest] as number) / 2);
    left[largest] = (left[largest] as number) - left[empty];
    for (let d = 0; d < dim; d++) {
      const value = centroids[largest * dim + d] as number;
      const apart = d % 2 === 0 ? 1 / 1024 : -1 / 1024;
      centroids[empty * dim + d] = fround(value * (1 - apart));
      centroids[largest * dim + d] = fround(value * (1 + apart));
    }
  });
  return { centroids, sizes };
}
