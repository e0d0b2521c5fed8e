import { DTYPES } from 'silverlode';
import type { Input } from '../cases/gather_rows.js';

/** Byte by byte: numbers of JavaScript would change the bits of some NaNs. */
export function gatherRows({ table, tail, index, batchDims, missing = 0 }: Input) {
  const { array, bytes } = DTYPES[table.dtype];
  const n = table.shape[batchDims] as number;
  const width = bytes * table.shape.slice(batchDims + 1).reduce((product, size) => product * size, 1);
  const perBatch = batchDims === 1 ? (index.shape[1] as number) : index.view().length;
  const none = new Uint8Array(Int32Array.of(missing).buffer);
  const source = Buffer.concat([table, ...(tail ? [tail] : [])].map((part) => new Uint8Array(part.view().buffer)));
  const rows = new Uint8Array(index.view().length * width);
  index.view().forEach((at, i) => {
    const from = (Math.floor(i / perBatch) * n + at) * width;
    for (let b = 0; b < width; b++) rows[i * width + b] = (at < 0 ? none[b % 4] : source[from + b]) as number;
  });
  return { rows: new array(rows.buffer) };
}
