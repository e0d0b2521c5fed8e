// Ids as requests give them.
import { SilverlodeError } from '../../errors.js';
import { readRoaring } from '../../io/roaring.js';
import { isDetached, isTypedArrayOf } from '../../tensor/typed_array.js';
import type { Manifest } from '../manifest.js';
import type { IdSet, ItemId } from '../types.js';
import { invalid } from './numbers.js';

/** Ids that a request may name to be the only ones: each is looked up before the run. */
export const MOST_NAMED = 131_072;

/** Copied, since the caller may change it, or it can be read once only. @param field Of the request. */
export function idsOf(field: string, given: IdSet, kind: Manifest['ids'], most = Number.POSITIVE_INFINITY): ItemId[] {
  const iterable = typeof (given as { [Symbol.iterator]?: unknown })?.[Symbol.iterator] === 'function';
  if (!iterable || typeof given === 'string' || isDetached(given))
    throw invalid(`${field} must be a list, typed array or Set of ids`, { field });
  const ids = most === Number.POSITIVE_INFINITY ? [...given] : firstOf(field, given, most);
  const isNumber = kind === 'number';
  const wrong = ids.findIndex((id) => typeof id !== kind || (isNumber && !Number.isSafeInteger(id)));
  if (wrong < 0) return ids;
  const expected = isNumber ? 'integers' : `${kind}s`;
  throw invalid(`${field} holds ${shown(ids[wrong])}: ids of this model are ${expected}`, { field });
}

/** Read no further than may be: an iterable may have no end. */
function firstOf(field: string, given: IdSet, most: number): ItemId[] {
  const ids: ItemId[] = [];
  for (const id of given) if (ids.push(id) > most) throw tooMany(field, most);
  return ids;
}

/** Ids, or a bitmap of integer ids in Roaring's portable format. @throws SilverlodeError */
export function namedIds(field: string, given: IdSet | Uint8Array, kind: Manifest['ids']): ItemId[] {
  if (!isTypedArrayOf(given, Uint8Array)) return idsOf(field, given, kind, MOST_NAMED);
  if (kind === 'string')
    throw invalid(`${field} is a bitmap of integers, but ids of this model are strings`, { field });
  try {
    const numbers = readRoaring(given, MOST_NAMED);
    return kind === 'bigint' ? Array.from(numbers, BigInt) : Array.from(numbers);
  } catch (error) {
    if (!(error instanceof SilverlodeError)) throw error;
    const code = error.code === 'CORRUPT_FILE' ? 'INVALID_ARGUMENT' : error.code;
    throw new SilverlodeError(code, `${field}: ${error.message}`, { field });
  }
}

function tooMany(field: string, most: number): SilverlodeError {
  return new SilverlodeError(
    'LIMIT_EXCEEDED',
    `${field} has more than ${most} ids: a larger set is an attribute, and a filter asks for it`,
    { field },
  );
}

const shown = (id: unknown): string => (typeof id === 'string' ? JSON.stringify(id) : String(id));
