import type { Metric } from '../cases/ivf_index.js';

const { fround } = Math;

/** An int8 vector with its scale. */
export interface Quantized {
  values: Int8Array;
  scale: number;
}

/** Row `index` of int8 [n, dim] with its scale. */
export function quantizedRow(values: Int8Array, scales: Float32Array, dim: number, index: number): Quantized {
  return { values: values.subarray(index * dim, (index + 1) * dim), scale: scales[index] as number };
}

/** The score of a row for a query, every step rounded once. */
export function int8Score(query: Quantized, row: Quantized, bias: number | undefined, metric: Metric = 'ip'): number {
  const scaled = fround(fround(fround(dot(query.values, row.values)) * row.scale) * query.scale);
  const score = bias === undefined ? scaled : fround(scaled + bias);
  if (metric !== 'l2') return score;
  const distance = fround(fround(2 * score) - squaredNorm(query));
  return distance > 0 ? 0 : distance;
}

/** |x|² of the dequantised vector. */
export function squaredNorm({ values, scale }: Quantized): number {
  return fround(dot(values, values) * scale * scale);
}

function dot(a: Int8Array, b: Int8Array): number {
  return a.reduce((sum, x, d) => sum + x * (b[d] as number), 0);
}
