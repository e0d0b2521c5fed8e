// Attributes as updates bring them: copied and checked when the call is made, fitted to the fields when it is applied.
import { SilverlodeError } from '../../errors.js';
import type { FieldType } from '../../filter/schema.js';
import { isArrayColumn, isMissing } from '../../index/attribute_type.js';
import type { AttributeColumn, AttributeValue } from '../../index/attributes.js';
import type { FieldKind, ItemValues } from '../../index/growing_filter.js';
import type { ItemId } from '../types.js';

type Kind = 'string' | 'boolean' | 'number' | 'bigint';

/** One attribute of the items of an update. */
export interface UpdateColumn {
  readonly name: string;
  /** Of all values; undefined where there is none. */
  readonly kind: Kind | undefined;
  /** Whether numbers make a new field one of integers. */
  readonly integral: boolean;
  readonly multi: boolean;
  /** Values of every item. */
  readonly values: readonly (readonly AttributeValue[])[];
}

const KINDS: readonly unknown[] = ['string', 'boolean', 'number', 'bigint'];

/** @throws SilverlodeError `SHAPE_MISMATCH`, `INVALID_ARGUMENT` with `field`, `item` and `id`. */
export function toColumns(columns: unknown, ids: readonly ItemId[]): UpdateColumn[] {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns))
    throw new SilverlodeError('INVALID_ARGUMENT', 'attributes must be an object with one column per field');
  return Object.entries(columns).map(([name, column]) => toColumn(name, column as AttributeColumn, ids));
}

function toColumn(name: string, column: AttributeColumn, ids: readonly ItemId[]): UpdateColumn {
  if (!isArrayColumn(column) && !Array.isArray(column)) {
    const problem = 'must be a list or a typed array with one entry per item';
    throw new SilverlodeError('INVALID_ARGUMENT', `Attribute ${JSON.stringify(name)} ${problem}`, { field: name });
  }
  if (column.length !== ids.length) {
    const problem = `has ${column.length} rows for ${ids.length} items`;
    throw new SilverlodeError('SHAPE_MISMATCH', `Attribute ${JSON.stringify(name)} ${problem}`, { field: name });
  }
  let kind: Kind | undefined;
  let multi = false;
  let integral = !(isArrayColumn(column) && (column[Symbol.toStringTag] as string).startsWith('Float'));
  const values = Array.from(column as ArrayLike<unknown>, (row, item) => {
    multi ||= Array.isArray(row);
    const own = (Array.isArray(row) ? row : [row]).filter((value) => !isMissing(value)) as AttributeValue[];
    for (const value of own) {
      const problem =
        faultOf(value) ??
        (kind !== undefined && typeof value !== kind ? `holds a ${typeof value} among ${kind}s` : undefined);
      if (problem) throw fault(name, item, ids, problem);
      kind = typeof value as Kind;
      integral &&= typeof value !== 'number' || Number.isSafeInteger(value);
    }
    return own.length > 1 ? [...new Set(own)] : own;
  });
  return { name, kind, integral, multi, values };
}

/** What is wrong with a value, whatever the field. */
function faultOf(value: unknown): string | undefined {
  if (!KINDS.includes(typeof value)) return `holds a value of type ${typeof value}, which is no attribute value`;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) return `holds ${value}, which is beyond int64`;
  // UTF-8 has no form of its own for half a surrogate pair; two such values would become one.
  if (typeof value === 'string' && !value.isWellFormed()) return 'holds a string that is not well-formed Unicode';
  return undefined;
}

/** The field that a column starts, undefined for one without any value. */
export function newField({ name, kind, integral, multi }: UpdateColumn): FieldKind | undefined {
  if (kind === undefined) return undefined;
  const type: FieldType =
    kind === 'bigint' || (kind === 'number' && integral) ? 'int64' : kind === 'number' ? 'float64' : kind;
  return { name, type, multi };
}

/**
 * The values as the field keeps them.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` where the field is of another type, or takes one number only.
 */
export function fitValues(
  column: UpdateColumn,
  field: FieldKind,
  ids: readonly ItemId[],
): readonly (readonly AttributeValue[])[] {
  const { type, multi } = field;
  const isNumber = type === 'int64' || type === 'float64';
  return column.values.map((own, item) => {
    if (own.length > 1 && isNumber && !multi)
      throw fault(field.name, item, ids, `holds ${own.length} values; the field takes one number per item`);
    return own.map((value) => {
      const fitted = fit(value, type);
      if (fitted === undefined)
        throw fault(field.name, item, ids, `holds ${String(value)}, but the field is of type ${type}`);
      return fitted;
    });
  });
}

/** Attributes of an item with those replaced that have a column. */
export function withColumns(
  before: ItemValues,
  columnOf: readonly number[],
  fitted: readonly ItemValues[],
  item: number,
): ItemValues {
  return columnOf.map((column, field) => (column < 0 ? before[field] : fitted[column]?.[item]) ?? []);
}

function fit(value: AttributeValue, type: FieldType): AttributeValue | undefined {
  if (type === 'int64') {
    if (typeof value === 'bigint') return value;
    return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  }
  return typeof value === (type === 'float64' ? 'number' : type) ? value : undefined;
}

function fault(name: string, item: number, ids: readonly ItemId[], problem: string): SilverlodeError {
  const id = ids[item] as ItemId;
  const message = `Attribute ${JSON.stringify(name)}: item ${item} (id ${String(id)}) ${problem}`;
  return new SilverlodeError('INVALID_ARGUMENT', message, { field: name, item, id });
}
