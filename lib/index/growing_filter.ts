// A filter index that items are appended to: the eligibility of a fresh segment.
import { termHash } from '../filter/bloom_hash.js';
import { float64Key } from '../filter/numbers.js';
import type { FieldSchema, FieldType, FilterSchema, TermRef } from '../filter/schema.js';
import type { FilterIndexTensors } from '../ops/filter_index.js';
import { Tensor } from '../tensor/tensor.js';
import type { AttributeValue } from './attributes.js';
import type { FilterIndex } from './filter_index.js';
import { requireEntries } from './filter_rows.js';
import { GrowingBits } from './growing_bits.js';
import { GrowingTable } from './growing_table.js';

/** What a field holds, beside its name. */
export interface FieldKind {
  readonly name: string;
  readonly type: FieldType;
  readonly multi: boolean;
}

/** Values of one item by field; fields at the end may be left out. */
export type ItemValues = readonly (readonly AttributeValue[])[];

interface GrowingField extends FieldKind {
  readonly index: number;
  readonly existsSlice: number;
  /** Single-valued numbers: index of the column. */
  readonly column: number | undefined;
  readonly terms: Map<string, TermRef>;
}

/** A state to go back to. */
export interface FilterMark {
  readonly rows: number;
  readonly fields: number;
}

/**
 * Same layout and exactness as `FilterIndex`, other dictionary: terms are numbered as they come. Values that the main index
 * keeps a slice for get one here, and so do booleans and EXISTS; all others share the Bloom signature.
 *
 * Tensors are shared by all versions and written in place: only rows that no version shows as live are touched, and of bits
 * only those of such rows.
 */
export class GrowingFilter {
  #rows = 0;
  #capacity: number;
  #slices = 0;
  #terms = 0;
  readonly #fields: GrowingField[] = [];
  readonly #bits: GrowingBits;
  readonly #columns: GrowingTable<'int64'>;
  readonly #ends: GrowingTable<'int32'>;
  readonly #entries = new GrowingTable('int32', 256);

  /**
   * @param main The index whose fields come first, with their types.
   * @param capacity Rows, whole blocks of 512.
   */
  constructor(
    private readonly main: FilterIndex,
    capacity: number,
  ) {
    this.#capacity = capacity;
    this.#bits = new GrowingBits(capacity, main.hashes);
    this.#columns = new GrowingTable('int64', 0, capacity);
    this.#ends = new GrowingTable('int32', capacity + 1);
    for (const field of main.manifest().fields) this.addField(field);
  }

  get bytes(): number {
    return this.#bits.bytes + this.#columns.bytes + this.#ends.bytes + this.#entries.bytes;
  }

  get fields(): readonly FieldKind[] {
    return this.#fields;
  }

  /** A new field, without a value in the rows so far. */
  addField({ name, type, multi }: FieldKind): void {
    const isNumber = (type === 'int64' || type === 'float64') && !multi;
    const column = isNumber ? this.#fields.filter((field) => field.column !== undefined).length : undefined;
    if (column !== undefined) this.#columns.reserve(column + 1);
    const index = this.#fields.length;
    this.#fields.push({ name, type, multi, index, existsSlice: this.#newSlice(), column, terms: new Map() });
  }

  mark(): FilterMark {
    return { rows: this.#rows, fields: this.#fields.length };
  }

  /** Forgets rows and fields that came after. Terms stay numbered: they match nothing. */
  rollBack({ rows, fields }: FilterMark): void {
    for (let row = rows; row < this.#rows; row++) this.#bits.clear(row);
    this.#rows = rows;
    this.#fields.length = fields;
  }

  /**
   * Looks whether items with these values can be appended, before any of them is.
   *
   * @param values By item or by field, whichever is at hand: they are only counted, also those that will have a slice.
   * @throws {@link SilverlodeError} `LIMIT_EXCEEDED` when the exact terms may become 2^31 or more.
   */
  requireRoom(values: readonly ItemValues[]): void {
    let count = this.#ends.view[this.#rows] as number;
    for (const lists of values) for (const own of lists) count += own.length;
    requireEntries(count);
  }

  /** @throws {@link SilverlodeError} as `requireRoom`, before anything changes. */
  append(values: ItemValues): void {
    this.requireRoom([values]);
    const row = this.#rows++;
    if (row === this.#capacity) this.#grow();
    const terms: number[] = [];
    for (const field of this.#fields) {
      const own = values[field.index] ?? [];
      if (own.length > 0) this.#bits.set(row, field.existsSlice);
      if (field.column !== undefined) {
        const stored = own.length > 0 ? toStored(field.type, own[0] as AttributeValue) : 0n;
        this.#columns.view[field.column * this.#columns.columns + row] = stored;
        continue;
      }
      for (const value of own) {
        const ref = this.#term(field, value);
        if (ref.kind === 'slice') this.#bits.set(row, ref.slice);
        else if (!terms.includes(ref.term)) {
          terms.push(ref.term);
          this.#bits.add(row, ref.hash);
        }
      }
    }
    this.#pushTerms(
      row,
      terms.sort((a, b) => a - b),
    );
  }

  /** How filters are compiled for the rows so far, whatever is appended later. */
  schema(): FilterSchema {
    const slices = this.#slices;
    const terms = this.#terms;
    const isOld = (ref: TermRef | undefined) => ref && (ref.kind === 'slice' ? ref.slice < slices : ref.term < terms);
    const fields = this.#fields.map(({ column, terms: refs, ...field }): [string, FieldSchema] => [
      field.name,
      {
        ...field,
        column: column === undefined ? undefined : { width: 64, index: column },
        lookup: (value) => {
          const ref = refs.get(String(value));
          return isOld(ref) ? ref : undefined;
        },
      },
    ]);
    return { fields: new Map(fields) };
  }

  /** The tensors as they are now; those that are outgrown later stay as they are. */
  tensors(): FilterIndexTensors & Record<string, Tensor> {
    return {
      ...this.#bits.tensors(),
      columns32: Tensor.allocate('int32', [0, 0]) as Tensor,
      columns64: this.#columns.tensor as Tensor,
      termOffsets: this.#ends.tensor as Tensor,
      terms: this.#entries.tensor as Tensor,
    };
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#bits.resize(this.#capacity);
    this.#columns.resize(this.#columns.rows, this.#capacity);
    this.#ends.resize(this.#capacity + 1);
  }

  #newSlice(): number {
    this.#bits.reserveSlices(this.#slices + 1);
    return this.#slices++;
  }

  #pushTerms(row: number, terms: readonly number[]): void {
    const begin = this.#ends.view[row] as number;
    this.#entries.reserve(begin + terms.length);
    this.#entries.view.set(terms, begin);
    this.#ends.view[row + 1] = begin + terms.length;
  }

  #term(field: GrowingField, value: AttributeValue): TermRef {
    const text = String(value);
    const known = field.terms.get(text);
    if (known) return known;
    const inMain = this.main.schema.fields.get(field.name)?.lookup(value)?.kind === 'slice';
    const ref: TermRef =
      inMain || field.type === 'boolean' || this.main.hashes === 0
        ? { kind: 'slice', slice: this.#newSlice() }
        : { kind: 'bloom', term: this.#terms++, hash: termHash(field.index, text) };
    field.terms.set(text, ref);
    return ref;
  }
}

function toStored(type: FieldType, value: AttributeValue): bigint {
  return type === 'float64' ? float64Key(value as number) : BigInt(value as number | bigint);
}
