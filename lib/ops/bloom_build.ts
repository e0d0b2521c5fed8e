import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** Terms of rows as CSR: int32 [N + 1] offsets (N a multiple of 512) and int32 term ids. */
export interface TermRows<I> {
  offsets: I;
  terms: AnyTensor;
}

/**
 * Bit-sliced Bloom signatures, bit-identical on every backend. Widths come from `bloomLayout`.
 *
 * @param rows terms per row
 * @param termHashes int64 [T]
 * @param layout int64 [N / 512 + 1] from `bloomLayout`
 * @param options `hashes` (default 4): positions per term; `positions`: the last entry of `layout`
 * @returns int64 [positions, 8]
 */
export function bloomBuild<I extends AnyTensor>(
  rows: TermRows<I>,
  termHashes: AnyTensor,
  layout: AnyTensor,
  options: { hashes?: number; positions: number },
): OpResult<I, As<I, 'int64'>> {
  const attributes = { hashes: options.hashes ?? 4, positions: options.positions };
  return dispatch<I, As<I, 'int64'>>(
    'bloom_build',
    [rows.offsets, rows.terms, termHashes, layout],
    attributes,
    ([bloom]) => bloom,
  );
}
