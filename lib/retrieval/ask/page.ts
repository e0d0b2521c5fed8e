// Which part of a list a request wants.
import { SilverlodeError } from '../../errors.js';
import type { RetrieveRequest } from '../types.js';
import { count, invalid } from './numbers.js';

const DEFAULT_K = 100;
/** Pages of a list are searched alike up to its first thousand items, then up to ten thousand, and so on. */
const LEAST_DEPTH = 1000;

/** Results `offset` to `offset + wanted` of a list of `depth` that score no less than `minScore`. */
export interface Page {
  wanted: number;
  /** Undefined for a request that does not turn pages. */
  offset: number | undefined;
  depth: number;
  /** -Infinity for none, which NaN satisfies too. */
  minScore: number;
}

/**
 * A search that stops when it has found enough finds more when more are wanted, so a request with an offset is searched to a depth that
 * its page does not decide: pages of one version fit together.
 *
 * @param arranged Whether the list is arranged once more, of which results are a part.
 */
export function pageOf(
  { k, offset, minScore }: RetrieveRequest,
  maxK: number,
  arranged: boolean,
  fallback = DEFAULT_K,
): Page {
  const wanted = count('k', k ?? Math.min(fallback, maxK), maxK);
  const least = minScore ?? Number.NEGATIVE_INFINITY;
  if (typeof least !== 'number' || Number.isNaN(least))
    throw invalid(`minScore must be a number, got ${String(minScore)}`, { field: 'minScore' });
  if (offset === undefined && !arranged) return { wanted, offset, depth: wanted, minScore: least };
  const end = count('offset', offset ?? 0, maxK, 0) + wanted;
  if (end > maxK)
    throw new SilverlodeError('LIMIT_EXCEEDED', `offset + k is ${end}, the model was loaded for at most ${maxK}`, {
      field: 'offset',
    });
  let depth = LEAST_DEPTH;
  while (depth <= end) depth *= 10;
  return { wanted, offset, depth: Math.min(depth, maxK), minScore: least };
}
