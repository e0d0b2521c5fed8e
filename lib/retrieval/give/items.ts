// What comes back of an item beside its id.
import { requireBoolean, requireKnown, SilverlodeError } from '../../errors.js';
import type { AttributeValue } from '../../index/attributes.js';
import { plain } from '../../index/row_values.js';
import { idsOf } from '../ask/ids.js';
import { vectorOf } from '../ask/item_vector.js';
import { invalid } from '../ask/numbers.js';
import { storedValue } from '../stored.js';
import type { IdSet } from '../types.js';
import type { ItemPlace, Version } from '../version.js';

/** Single values; lists of fields of several values; null where there is none. */
export type ItemValue = AttributeValue | readonly AttributeValue[] | null;

/** What was selected of an item, by name. */
// biome-ignore lint/suspicious/noExplicitAny: stored JSON is whatever was stored
export type SelectedItem = Record<string, any>;

const MOST_NAMES = 1024;

/** Attributes by their number, feature columns by theirs, all else of what is stored. */
interface Selected {
  name: string;
  attribute?: { number: number; multi: boolean };
  column?: number;
}

/** The names as a version knows them, all of them by default. @throws SilverlodeError `UNKNOWN_FIELD`, `INVALID_ARGUMENT`. */
export function selection(version: Version, names?: readonly string[]): readonly Selected[] {
  const known = namesOf(version);
  if (names === undefined) return [...known.values()];
  return names.map((name) => {
    const found = known.get(name) ?? (stores(version) ? { name } : undefined);
    if (found) return found;
    const message = `the model has no attribute or column '${name}'; it has ${[...known.keys()].join(', ') || 'none'}`;
    throw new SilverlodeError('UNKNOWN_FIELD', message, { field: name });
  });
}

const stores = ({ main, fresh }: Version): boolean => main.stored !== undefined || (fresh?.stores ?? false);

/** Names to select: distinct texts, copied. */
export function checkSelect(select: unknown): readonly string[] | undefined {
  if (select === undefined) return undefined;
  if (!Array.isArray(select) || select.some((name) => typeof name !== 'string'))
    throw invalid('select must be a list of names', { field: 'select' });
  if (select.length > MOST_NAMES)
    throw new SilverlodeError('LIMIT_EXCEEDED', `select has ${select.length} names, at most ${MOST_NAMES} may be`, {
      field: 'select',
    });
  return [...new Set<string>(select)];
}

/** An attribute hides a column of the same name. */
function namesOf({ main, fresh }: Version): Map<string, Selected> {
  const columns = main.manifest.columns.map((name, column): [string, Selected] => [name, { name, column }]);
  const fields = [...main.eligible.manifest().fields, ...(fresh?.newFields ?? [])];
  const attributes = fields.map(({ name, multi }, number): [string, Selected] => [
    name,
    { name, attribute: { number, multi } },
  ]);
  return new Map([...columns, ...attributes]);
}

/** @param whole Whether all that is stored comes along, by its fields. */
export function itemAt(version: Version, place: ItemPlace, selected: readonly Selected[], whole = false): SelectedItem {
  const isStored = whole || selected.some(({ attribute, column }) => attribute === undefined && column === undefined);
  const stored = isStored ? storedValue(storedAt(version, place)) : undefined;
  const own = selected.map((each) => [each.name, selectedValue(version, place, each, stored)]);
  return {
    ...(whole && stored !== undefined ? (isRecord(stored) ? stored : { stored }) : {}),
    ...Object.fromEntries(own),
  };
}

function storedAt({ main, fresh }: Version, { segment, ordinal, row }: ItemPlace): string {
  return segment === 'fresh' ? (fresh?.storedOf(row) ?? '') : (main.stored?.at(ordinal) ?? '');
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value of an attribute that has one at most. */
export function singleValue(version: Version, place: ItemPlace, attribute: number): AttributeValue | undefined {
  return valuesOf(version, place, attribute)[0];
}

function selectedValue(
  version: Version,
  place: ItemPlace,
  { name, attribute, column }: Selected,
  stored: unknown,
): unknown {
  if (attribute === undefined && column === undefined) {
    if (name === 'stored') return stored ?? null;
    return isRecord(stored) && Object.hasOwn(stored, name) ? stored[name] : null;
  }
  if (attribute) {
    const values = valuesOf(version, place, attribute.number);
    return attribute.multi ? values : (values[0] ?? null);
  }
  const features =
    place.segment === 'fresh' ? version.fresh?.tensors.get('features') : version.main.tensors.get('features');
  const width = features?.shape[1] as number;
  return features?.view()[place.ordinal * width + (column as number)] as number;
}

function valuesOf({ main, fresh }: Version, place: ItemPlace, attribute: number): AttributeValue[] {
  if (place.segment === 'main')
    return attribute < main.eligible.manifest().fields.length ? main.values.at(attribute, place.row) : [];
  const values = fresh?.attributesOf(place.row)[attribute] ?? [];
  return values.map((value) => (typeof value === 'bigint' ? plain(value) : value));
}

/** What `get` may be asked for. */
export interface GetOptions {
  /** Names of attributes and feature columns; default: all. */
  select?: readonly string[];
  /** Whether each item has its `vector` besides, float32 [dims]; see `RetrieveRequest.like` for what that is. */
  vectors?: boolean;
}

/** Items that one call may name. */
const MOST_ITEMS = 131_072;

/** Items by their ids, in the order of these; null for an id that no item has. @throws SilverlodeError */
export function itemsOf(version: Version, given: IdSet, options: GetOptions): (SelectedItem | null)[] {
  requireKnown('get options', options, ['select', 'vectors']);
  requireBoolean('vectors', options.vectors ?? false);
  const { vectors = false } = options;
  const ids = idsOf('ids', given, version.main.manifest.ids, MOST_ITEMS);
  const selected = selection(version, checkSelect(options.select));
  return ids.map((id) => {
    const place = version.find(id);
    if (place === undefined) return null;
    const item = itemAt(version, place, selected, options.select === undefined);
    return vectors ? { ...item, vector: vectorOf(id, version) as Float32Array } : item;
  });
}
