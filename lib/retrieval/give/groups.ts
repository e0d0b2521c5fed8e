// How many results may share a value.
import { SilverlodeError } from '../../errors.js';
import { count, invalid } from '../ask/numbers.js';
import type { RetrieveRequest } from '../types.js';
import type { Version } from '../version.js';
import { singleValue } from './items.js';

export interface Groups {
  field: string;
  limit: number;
}

export function checkGroups(groups: RetrieveRequest['groups']): Groups | undefined {
  if (groups === undefined) return undefined;
  if (typeof groups !== 'object' || groups === null || typeof groups.field !== 'string')
    throw invalid("groups must be {field, limit}, such as {field: 'brand', limit: 2}", { field: 'groups' });
  const other = Object.keys(groups).find((name) => name !== 'field' && name !== 'limit');
  if (other !== undefined)
    throw invalid(`unknown field '${other}' of groups; known: field, limit`, { field: `groups.${other}` });
  return { field: groups.field, limit: count('groups.limit', groups.limit) };
}

/** The number of the attribute. @throws SilverlodeError `UNKNOWN_FIELD`, `INVALID_ARGUMENT` for one of several values. */
export function groupField({ main, fresh }: Version, { field }: Groups): number {
  const fields = [...main.eligible.manifest().fields, ...(fresh?.newFields ?? [])];
  const number = fields.findIndex(({ name }) => name === field);
  if (number < 0)
    throw new SilverlodeError('UNKNOWN_FIELD', `the model has no attribute '${field}' to group by`, { field });
  if (fields[number]?.multi) throw invalid(`'${field}' holds several values of an item and makes no groups`, { field });
  return number;
}

/**
 * Positions of a list that are kept, best first: at most `limit` of the same value, and every item without a value.
 *
 * @param ordinals The list, best first.
 * @param most How many are wanted.
 */
export function grouped(
  version: Version,
  ordinals: Int32Array,
  { limit }: Groups,
  attribute: number,
  most: number,
): number[] {
  const seen = new Map<unknown, number>();
  const kept: number[] = [];
  for (let at = 0; at < ordinals.length && kept.length < most; at++) {
    const value = singleValue(version, version.placeAt(ordinals[at] as number), attribute);
    const before = value === undefined ? 0 : (seen.get(value) ?? 0);
    if (before >= limit) continue;
    if (value !== undefined) seen.set(value, before + 1);
    kept.push(at);
  }
  return kept;
}
