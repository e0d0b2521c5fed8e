import type { Input } from '../cases/rotate.js';

/** As its definition reads: signs, zeros behind them, steps of a block from the largest to the smallest, one scaling. */
export function rotate({ values, signs, mean, centre }: Input): { rotated: Float32Array; offsets: Float32Array } {
  const dim = values.shape.at(-1) as number;
  const rows = values.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const width = Math.ceil(dim / 32) * 32;
  const rotated = new Float32Array(rows * width);
  const offsets = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = values.view().subarray(row * dim, (row + 1) * dim);
    const mu = mean?.view() ?? new Float32Array(dim);
    offsets[row] = own.reduce((sum, x, d) => sum + x * (mu[d] as number), 0);
    const vector = rotated.subarray(row * width, (row + 1) * width);
    own.forEach((x, d) => {
      vector[d] = Math.fround(centre ? x - (mu[d] as number) : x) * (signs.view()[d] as number);
    });
    for (let begin = 0; begin < width; ) {
      const size = 2 ** Math.floor(Math.log2(width - begin));
      transform(vector.subarray(begin, begin + size));
      begin += size;
    }
  }
  return { rotated, offsets };
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
