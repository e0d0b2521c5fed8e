import type { Input } from '../cases/quantize_int8.js';

/** Symmetric int8 with one scale per row. */
export function quantizeInt8({ values, padTo = 32 }: Input): { quantized: Int8Array; scales: Float32Array } {
  const dim = values.shape.at(-1) as number;
  const rows = values.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const width = Math.ceil(dim / padTo) * padTo;
  const quantized = new Int8Array(rows * width);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = values.view().subarray(row * dim, (row + 1) * dim);
    const scale = Math.fround(own.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) / 127);
    scales[row] = scale;
    if (scale === 0) continue;
    own.forEach((x, d) => {
      quantized[row * width + d] = Math.max(-127, Math.min(127, roundToEven(Math.fround(x / scale))));
    });
  }
  return { quantized, scales };
}

function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
