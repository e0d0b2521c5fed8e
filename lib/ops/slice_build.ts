import type { AnyTensor } from '../program/trace.js';
import type { TermRows } from './bloom_build.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Exact bit slices of terms.
 *
 * @param rows terms per row, N a multiple of 512
 * @param sliceOfTerm int32 [T]: slice of a term, -1 for none
 * @param options `slices`: how many there are
 * @returns int64 [S, N / 64]
 */
export function sliceBuild<I extends AnyTensor>(
  rows: TermRows<I>,
  sliceOfTerm: AnyTensor,
  options: { slices: number },
): OpResult<I, As<I, 'int64'>> {
  return dispatch<I, As<I, 'int64'>>(
    'slice_build',
    [rows.offsets, rows.terms, sliceOfTerm],
    options,
    ([slices]) => slices,
  );
}
