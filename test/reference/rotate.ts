import type { Input } from '../cases/rotate.js';

interface Rotated {
  rotated: Float32Array;
  offsets: Float32Array;
  factors: Float32Array;
}

/** As its definition reads: the mean, signs, zeros behind them, steps of a block from the largest to the smallest, one scaling. */
export function rotate({ values, signs, mean, subtract }: Input): Rotated {
  const dim = values.shape.at(-1) as number;
  const rows = values.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const width = Math.ceil(dim / 32) * 32;
  const rotated = new Float32Array(rows * width);
  const offsets = new Float32Array(rows);
  const factors = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = values.view().subarray(row * dim, (row + 1) * dim);
    const { v, offset, factor } = moved(own, mean?.view() ?? new Float32Array(dim), subtract);
    offsets[row] = offset;
    factors[row] = factor;
    const vector = rotated.subarray(row * width, (row + 1) * width);
    vector.set(v.map((x, d) => x * (signs.view()[d] as number)));
    for (let begin = 0; begin < width; ) {
      const size = 2 ** Math.floor(Math.log2(width - begin));
      transform(vector.subarray(begin, begin + size));
      begin += size;
    }
  }
  return { rotated, offsets, factors };
}

function moved(own: Float32Array, mean: Float32Array, subtract: Input['subtract']) {
  const centred = own.map((x, d) => x - (mean[d] as number));
  if (subtract === 'nothing') return { v: own, offset: dot(own, mean), factor: 1 };
  if (subtract === 'mean') return { v: centred, offset: dot(centred, mean), factor: 1 };
  const squares = dot(mean, mean);
  const least = Math.sqrt(dot(own, own) / squares) / 32;
  const factor = squares === 0 ? 1 : Math.fround(Math.max(dot(own, mean) / squares, least));
  if (!(factor > 0 && Number.isFinite(factor))) return { v: own.map(() => 0), offset: 0, factor: 0 };
  const v = own.map((x, d) => Math.fround(x / factor) - (mean[d] as number));
  return { v, offset: dot(own, mean) / factor, factor };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, d) => sum + x * (b[d] as number), 0);
}

function transform(block: Float32Array): void {
  for (let h = block.length / 2; h >= 1; h /= 2) {
    for (let i = 0; i < block.length; i++) {
      if (Math.floor(i / h) % 2 === 1) continue;
      const [a, b] = [block[i] as number, block[i + h] as number];
      block[i] = a + b;
      block[i + h] = a - b;
    }
  }
  const scale = Math.fround(1 / Math.sqrt(block.length));
  block.forEach((x, i) => {
    block[i] = x * scale;
  });
}
