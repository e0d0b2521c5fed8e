import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * How wide the signature of every block of 512 rows is, following the block's own load, so that one row with very many
 * terms does not inflate its neighbours.
 *
 * @param termOffsets int32 [N + 1], N a multiple of 512
 * @param options `bitsPerTerm` (default 12)
 * @returns int64 [N / 512 + 1]: prefix sums of widths
 */
export function bloomLayout<I extends AnyTensor>(
  termOffsets: I,
  options: { bitsPerTerm?: number } = {},
): OpResult<I, As<I, 'int64'>> {
  return dispatch<I, As<I, 'int64'>>(
    'bloom_layout',
    [termOffsets],
    { bits_per_term: options.bitsPerTerm ?? 12 },
    ([layout]) => layout,
  );
}
