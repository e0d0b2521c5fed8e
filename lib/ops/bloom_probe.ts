import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/**
 * Rows whose Bloom signature matches a term: a superset of the rows that hold it.
 *
 * @param bloom int64 [positions, 8] from `bloomBuild`
 * @param layout int64 [blocks + 1] from `bloomLayout`
 * @param termHashes int64 [terms]
 * @param options `hashes` (default 4), as built
 * @returns hits int64 [terms, 8 · blocks]; row r is bit r % 64 of word r / 64
 */
export function bloomProbe<I extends AnyTensor>(
  bloom: I,
  layout: AnyTensor,
  termHashes: AnyTensor,
  options: { hashes?: number } = {},
): OpResult<I, As<I, 'int64'>> {
  return dispatch<I, As<I, 'int64'>>(
    'bloom_probe',
    [bloom, layout, termHashes],
    { hashes: options.hashes ?? 4 },
    ([hits]) => hits,
  );
}
