import { DTYPES, type Tensor } from 'silverlode';
import type { Input } from '../cases/concat.js';

/** Byte by byte, row by row. */
export function concat({ tensors }: Input) {
  const [first] = tensors as [Tensor, ...Tensor[]];
  const { array, bytes } = DTYPES[first.dtype];
  const rows = first.shape.slice(0, -1).reduce((product, dim) => product * dim, 1);
  const y: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const tensor of tensors) {
      const width = (tensor.shape.at(-1) as number) * bytes;
      y.push(...new Uint8Array(tensor.view().buffer).subarray(row * width, (row + 1) * width));
    }
  }
  return { y: new array(Uint8Array.from(y).buffer) };
}
