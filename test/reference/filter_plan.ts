import type { Tensor } from 'silverlode';
import { bloomPosition } from '../cases/filter_index.js';
import { bitReader } from './bits.js';

interface IndexArrays {
  slices: Tensor<'int64'>;
  bloom: Tensor<'int64'>;
  bloomOffsets: Tensor<'int64'>;
  columns32: Tensor<'int32'>;
  columns64: Tensor<'int64'>;
  termOffsets: Tensor<'int32'>;
  terms: Tensor<'int32'>;
}

/** Whether a plan holds for a row: certainly (`lo`), perhaps (`hi`), and in truth. */
export interface Verdict {
  lo: boolean;
  hi: boolean;
  truth: boolean;
}

/** Interprets plans row by row. */
export function planReader(index: IndexArrays, steps: BigInt64Array, offsets: Int32Array, hashes: number) {
  const n = 64 * (index.slices.shape[1] as number);
  const sliceBit = bitReader(index.slices.view());
  const bloomBit = bitReader(index.bloom.view());
  const starts = index.bloomOffsets.view();

  const bloomHit = (row: number, hash: bigint): boolean => {
    const block = Math.floor(row / 512);
    const start = Number(starts[block]);
    const width = Number(starts[block + 1]) - start;
    if (width === 0) return false;
    return Array.from({ length: hashes }, (_, j) => start + bloomPosition(hash, j, width)).every((position) =>
      bloomBit(512 * position + (row % 512)),
    );
  };
  const hasTerm = (row: number, term: number): boolean => {
    const own = index.termOffsets.view();
    return index.terms
      .view()
      .subarray(own[row], own[row + 1])
      .includes(term);
  };
  const exactly = (holds: boolean): Verdict => ({ lo: holds, hi: holds, truth: holds });

  return (plan: number, row: number): Verdict => {
    const stack: Verdict[] = [];
    for (let step = offsets[plan] as number; step < (offsets[plan + 1] as number); step++) {
      const [op, arg, lo, hi] = steps.subarray(4 * step, 4 * step + 4) as unknown as [bigint, bigint, bigint, bigint];
      const at = Number(arg);
      if (op <= 1n) stack.push(exactly(op === 0n));
      else if (op === 2n) stack.push(exactly(sliceBit(at * n + row)));
      else if (op === 3n) stack.push({ lo: false, hi: bloomHit(row, lo), truth: hasTerm(row, at) });
      else if (op <= 5n) {
        const column = op === 4n ? index.columns32.view() : index.columns64.view();
        const value = BigInt(column[at * n + row] as number | bigint);
        stack.push(exactly(lo <= value && value <= hi));
      } else {
        const b = stack.pop() as Verdict;
        if (op === 9n) {
          const isListed = at === Math.floor(row / 64) && ((lo >> BigInt(row % 64)) & 1n) === 1n;
          stack.push(isListed ? exactly(true) : b);
          continue;
        }
        if (op === 6n) {
          stack.push({ lo: !b.hi, hi: !b.lo, truth: !b.truth });
          continue;
        }
        const a = stack.pop() as Verdict;
        const join = (x: boolean, y: boolean) => (op === 7n ? x && y : x || y);
        stack.push({ lo: join(a.lo, b.lo), hi: join(a.hi, b.hi), truth: join(a.truth, b.truth) });
      }
    }
    return stack.pop() ?? exactly(false);
  };
}
