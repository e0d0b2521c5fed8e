// Filter plans on single rows, by their exact terms: for the few items of a list. What native/ops/filter_index.h says, row by row.
import { FilterOp } from '../filter/opcodes.js';
import type { FilterPlan } from '../filter/plan.js';
import type { Tensor } from '../tensor/tensor.js';

/** The tensors of an index that plans read. */
export interface RowTensors {
  slices: Tensor;
  columns32: Tensor;
  columns64: Tensor;
  termOffsets: Tensor;
  terms: Tensor;
}

/** Whether something holds for a row. */
export type RowTest = (row: number) => boolean;

/** A plan as a test of rows. */
export function rowTest({ steps }: FilterPlan, tensors: RowTensors): RowTest {
  const stack: RowTest[] = [];
  for (let i = 0; i < steps.length; i += 4) {
    const op = Number(steps[i]);
    if (op === FilterOp.not) {
      const inner = stack.pop() as RowTest;
      stack.push((row) => !inner(row));
    } else if (op === FilterOp.and || op === FilterOp.or) {
      const [b, a] = [stack.pop() as RowTest, stack.pop() as RowTest];
      stack.push(op === FilterOp.and ? (row) => a(row) && b(row) : (row) => a(row) || b(row));
    } else stack.push(leafTest(op, Number(steps[i + 1]), steps[i + 2] as bigint, steps[i + 3] as bigint, tensors));
  }
  return stack.pop() ?? (() => false);
}

function leafTest(op: number, arg: number, lo: bigint, hi: bigint, tensors: RowTensors): RowTest {
  switch (op) {
    case FilterOp.all:
      return () => true;
    case FilterOp.slice: {
      const { slices } = tensors;
      const words = slices.view() as BigInt64Array;
      const bits = new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
      const begin = 2 * arg * (slices.shape[1] as number);
      return (row) => (((bits[begin + (row >> 5)] as number) >>> (row & 31)) & 1) === 1;
    }
    case FilterOp.bloom:
      return termTest(tensors, arg);
    case FilterOp.range32: {
      const column = tensors.columns32.view() as Int32Array;
      const begin = arg * (tensors.columns32.shape[1] as number);
      const [least, most] = [Number(lo), Number(hi)];
      return (row) => (column[begin + row] as number) >= least && (column[begin + row] as number) <= most;
    }
    case FilterOp.range64: {
      const column = tensors.columns64.view() as BigInt64Array;
      const begin = arg * (tensors.columns64.shape[1] as number);
      return (row) => (column[begin + row] as bigint) >= lo && (column[begin + row] as bigint) <= hi;
    }
    default:
      return () => false;
  }
}

function termTest({ termOffsets, terms }: RowTensors, term: number): RowTest {
  const offsets = termOffsets.view() as Int32Array;
  const own = terms.view() as Int32Array;
  if (offsets.length === 0) return () => false;
  return (row) => {
    const stop = Math.min(own.length, offsets[row + 1] as number);
    for (let i = Math.max(0, offsets[row] as number); i < stop; i++) if (own[i] === term) return true;
    return false;
  };
}
