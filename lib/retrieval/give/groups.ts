// How many results may share a value.
import { SilverlodeError } from '../../errors.js';
import { count, invalid } from '../ask/numbers.js';
import type { RetrieveRequest } from '../types.js';
import type { ItemPlace, Version } from '../version.js';
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

/** Counts what was taken of every value; items without a value are not limited. */
export class Quota {
  readonly #taken = new Map<unknown, number>();

  constructor(
    private readonly version: Version,
    private readonly places: readonly ItemPlace[],
    private readonly groups: Groups,
    private readonly attribute: number,
  ) {}

  /** Takes the item of a position, if its group has room. */
  takes(at: number): boolean {
    const value = singleValue(this.version, this.places[at] as ItemPlace, this.attribute);
    if (value === undefined) return true;
    const before = this.#taken.get(value) ?? 0;
    if (before >= this.groups.limit) return false;
    this.#taken.set(value, before + 1);
    return true;
  }
}
