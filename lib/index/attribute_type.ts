// What a column of attributes holds, found out by looking at every row before anything is built.
import { SilverlodeError } from '../errors.js';
import type { FieldType } from '../filter/schema.js';
import { isTypedArray, isTypedArrayOf } from '../tensor/typed_array.js';
import type { AttributeColumn } from './attributes.js';
import type { Pace } from './pace.js';

/** A column whose values are known to be valid. */
export interface CheckedColumn {
  readonly name: string;
  readonly column: AttributeColumn;
  readonly type: FieldType;
  readonly multi: boolean;
  /** Values in all rows, repetitions within a row included. */
  readonly values: number;
}

const KINDS = ['string', 'boolean', 'number', 'bigint'] as const;
type Kind = (typeof KINDS)[number];

const MAX_VALUES = 2 ** 31 - 1;

/** Infers the type of a column from all its rows. */
export async function checkColumn(
  name: string,
  column: AttributeColumn,
  items: number,
  pace: Pace,
): Promise<CheckedColumn> {
  if (!isArrayColumn(column) && !Array.isArray(column)) {
    const problem = `must be a list or a typed array with one entry per item, got ${describe(column)}`;
    throw new SilverlodeError('INVALID_ARGUMENT', `Attribute ${JSON.stringify(name)} ${problem}`, { field: name });
  }
  if (column.length !== items) {
    const problem = `has ${column.length} rows for ${items} items`;
    throw new SilverlodeError('SHAPE_MISMATCH', `Attribute ${JSON.stringify(name)} ${problem}`, { field: name });
  }
  const check = new ColumnCheck(name);
  if (isArrayColumn(column)) {
    const type = isFloatArray(column) ? 'float64' : 'int64';
    if (isTypedArrayOf(column, BigUint64Array)) await pace.over(items, (begin, end) => check.rows(column, begin, end));
    else await pace.spend(items);
    return { name, column, type, multi: false, values: items };
  }
  await pace.over(items, (begin, end) => check.rows(column, begin, end));
  return { name, column, type: check.type, multi: check.multi, values: check.values };
}

/** Whether a value of a row stands for *no value*; an empty list holds none either. */
export function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null || Number.isNaN(value);
}

export function isArrayColumn(value: unknown): value is Exclude<AttributeColumn, readonly unknown[]> {
  return isTypedArray(value);
}

/** Also of Float16Array, which only newer runtimes have. */
function isFloatArray(column: { [Symbol.toStringTag]: string }): boolean {
  return column[Symbol.toStringTag].startsWith('Float');
}

class ColumnCheck {
  multi = false;
  values = 0;
  private kind: Kind | undefined;
  private first = 0;
  private integral = true;

  constructor(private readonly name: string) {}

  get type(): FieldType {
    if (this.kind === 'boolean') return 'boolean';
    if (this.kind === 'bigint' || (this.kind === 'number' && this.integral)) return 'int64';
    return this.kind === 'number' ? 'float64' : 'string';
  }

  rows(column: ArrayLike<unknown>, begin: number, end: number): void {
    for (let item = begin; item < end; item++) {
      const row = column[item];
      if (Array.isArray(row)) {
        this.multi = true;
        for (const value of row) this.value(value, item);
      } else {
        this.value(row, item);
      }
    }
    if (this.values <= MAX_VALUES) return;
    const problem = `has more than ${MAX_VALUES} values`;
    throw new SilverlodeError('LIMIT_EXCEEDED', `Attribute ${JSON.stringify(this.name)} ${problem}`, {
      field: this.name,
    });
  }

  private value(value: unknown, item: number): void {
    if (isMissing(value)) return;
    if (typeof value !== this.kind) this.setKind(value, item);
    if (typeof value === 'number') this.integral &&= Number.isSafeInteger(value);
    else if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) {
      throw this.fault(item, `holds ${value}, which is beyond int64`);
    }
    this.values++;
  }

  private setKind(value: unknown, item: number): void {
    const kind = KINDS.find((name) => name === typeof value);
    if (kind === undefined) throw this.fault(item, `holds ${describe(value)}, which is no attribute value`);
    if (this.kind !== undefined) {
      throw this.fault(item, `holds a ${kind}, but item ${this.first} a ${this.kind}; a field has one type`);
    }
    this.kind = kind;
    this.first = item;
  }

  private fault(item: number, problem: string): SilverlodeError {
    const message = `Attribute ${JSON.stringify(this.name)}: item ${item} ${problem}`;
    return new SilverlodeError('INVALID_ARGUMENT', message, { field: this.name, item });
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? (value.constructor?.name ?? 'an object') : `a ${typeof value}`;
}
