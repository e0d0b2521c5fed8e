import { SilverlodeError } from '../errors.js';
import type { FieldType } from '../filter/schema.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { type CheckedColumn, checkColumn, isArrayColumn, isMissing } from './attribute_type.js';
import { Pace, type WorkOptions } from './pace.js';
import { ShardedMap } from './sharded_map.js';

/** A value of an attribute. NaN is *no value*. */
export type AttributeValue = string | boolean | number | bigint;

/** One value, or none: null and undefined mean the same. */
export type OptionalValue = AttributeValue | null | undefined;

/**
 * One attribute of all items, in their order: one value per item, a list of values, or a typed array of numbers.
 * `null`, `undefined`, `[]` and NaN are *no value*.
 */
export type AttributeColumn =
  | readonly (OptionalValue | readonly OptionalValue[])[]
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Attributes of items by field. */
export type AttributeColumns = Readonly<Record<string, AttributeColumn>>;

interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly multi: boolean;
  /** By item: 1 where there is a value. */
  readonly present: Uint8Array;
}

/** Single-valued numbers by item, 0 where there is none; int64 as float64 as long as all are safe integers. */
export interface NumberField extends Field {
  readonly kind: 'numbers';
  readonly numbers: Float64Array | BigInt64Array;
}

/** Values as codes: indices into the list of distinct values. */
export interface TermField extends Field {
  readonly kind: 'terms';
  /** The distinct values as `String(value)`, in order of appearance. */
  readonly texts: readonly string[];
  /** Item `i` holds the values `codes[offsets[i]]` to `codes[offsets[i + 1] - 1]`, each once. */
  readonly offsets: Uint32Array;
  readonly codes: Int32Array;
}

/** One attribute, checked and encoded. */
export type FieldColumn = NumberField | TermField;

/** Distinct values of one field; a Map holds no more than 2^24, and keys may all fall into one. */
const MAX_DISTINCT = 16_000_000;

/**
 * Checks attributes and encodes them for an index.
 *
 * The type of a field follows from all its rows: strings, booleans, or numbers (int64 when all are safe integers or
 * bigints, else float64; typed arrays keep theirs). A field is multi-valued when any row is a list. A field without any
 * value is of strings.
 *
 * @param columns One column per field.
 * @param items How many items there are.
 * @throws {@link SilverlodeError} `INVALID_ARGUMENT` for mixed types and for what is no attribute value, with `field` and
 *   `item`; `SHAPE_MISMATCH` for a column of another length, with `field`; `LIMIT_EXCEEDED`; `ABORTED`. Every column is
 *   checked before the first one is encoded.
 */
export async function readAttributes(
  columns: AttributeColumns,
  items: number,
  options: WorkOptions = {},
): Promise<FieldColumn[]> {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns)) {
    throw new SilverlodeError('INVALID_ARGUMENT', 'attributes must be an object with one column per field');
  }
  const entries = Object.entries(columns);
  const pace = new Pace('attributes', 2 * items * entries.length, options);
  const checked: CheckedColumn[] = [];
  for (const [name, column] of entries) checked.push(await checkColumn(name, column, items, pace));
  const fields: FieldColumn[] = [];
  for (const column of checked) {
    const isNumber = column.type === 'int64' || column.type === 'float64';
    fields.push(await (isNumber && !column.multi ? encodeNumbers : encodeTerms)(column, items, pace));
  }
  pace.finish();
  return fields;
}

async function encodeNumbers(
  { name, column, type, multi }: CheckedColumn,
  items: number,
  pace: Pace,
): Promise<NumberField> {
  const present = new Uint8Array(items);
  const isBig = isTypedArrayOf(column, BigInt64Array) || isTypedArrayOf(column, BigUint64Array) || holdsBigInts(column);
  const numbers = isBig ? new BigInt64Array(items) : new Float64Array(items);
  await pace.over(items, (begin, end) => {
    for (let item = begin; item < end; item++) {
      const value = column[item];
      if (isMissing(value)) continue;
      present[item] = 1;
      numbers[item] = value as number & bigint;
    }
  });
  return { kind: 'numbers', name, type, multi, present, numbers };
}

function holdsBigInts(column: AttributeColumn): boolean {
  return !isArrayColumn(column) && typeof column.find((value) => !isMissing(value)) === 'bigint';
}

async function encodeTerms(
  { name, column, type, multi, values }: CheckedColumn,
  items: number,
  pace: Pace,
): Promise<TermField> {
  const present = new Uint8Array(items);
  const offsets = new Uint32Array(items + 1);
  const codes = new Int32Array(values);
  const terms = new TermCodes(name);
  let used = 0;
  await pace.over(items, (begin, end) => {
    for (let item = begin; item < end; item++) {
      const row = column[item];
      if (Array.isArray(row)) {
        for (const value of row) {
          const code = isMissing(value) ? -1 : terms.code(value, item);
          if (code >= 0 && terms.isFirst(code, item)) codes[used++] = code;
        }
      } else if (!isMissing(row)) {
        codes[used++] = terms.code(row as AttributeValue, item);
      }
      offsets[item + 1] = used;
      present[item] = used > (offsets[item] as number) ? 1 : 0;
    }
  });
  return {
    kind: 'terms',
    name,
    type,
    multi,
    present,
    texts: terms.texts,
    offsets,
    codes: codes.subarray(0, used),
  };
}

/** Numbers the distinct values of one field. */
class TermCodes {
  readonly texts: string[] = [];
  private readonly codes = new ShardedMap<AttributeValue>(); // takes -0 and 0 as one key
  private readonly lastItem: number[] = [];

  constructor(private readonly field: string) {}

  code(value: AttributeValue, item: number): number {
    return this.codes.get(value) ?? this.add(value, item);
  }

  /** Whether this is the first time that `item` holds `code`. */
  isFirst(code: number, item: number): boolean {
    if (this.lastItem[code] === item) return false;
    this.lastItem[code] = item;
    return true;
  }

  private add(value: AttributeValue, item: number): number {
    const code = this.texts.length;
    const fault = `Attribute ${JSON.stringify(this.field)}:`;
    if (code === MAX_DISTINCT) {
      const message = `${fault} more than ${MAX_DISTINCT} distinct values`;
      throw new SilverlodeError('LIMIT_EXCEEDED', message, { field: this.field });
    }
    const text = String(value);
    // UTF-8 has no form of its own for half a surrogate pair; two such values would become one.
    if (!text.isWellFormed()) {
      const message = `${fault} item ${item} holds a string that is not well-formed Unicode`;
      throw new SilverlodeError('INVALID_ARGUMENT', message, { field: this.field, item });
    }
    this.texts.push(text);
    this.lastItem.push(-1);
    this.codes.add(value, code);
    return code;
  }
}
