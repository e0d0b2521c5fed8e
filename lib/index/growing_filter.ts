// A filter index that items are appended to: the eligibility of a fresh segment.
import { termHash } from '../filter/bloom_hash.js';
import { float64Key } from '../filter/numbers.js';
import type { FieldSchema, FieldType, FilterSchema, TermRef } from '../filter/schema.js';
import { bloomBuild } from '../ops/bloom_build.js';
import { bloomLayout } from '../ops/bloom_layout.js';
import type { FilterIndexTensors } from '../ops/filter_index.js';
import { sliceBuild } from '../ops/slice_build.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import type { AttributeValue } from './attributes.js';
import type { FilterIndex } from './filter_index.js';
import { Growable } from './growable.js';

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

const BLOCK_ROWS = 512;

/** Lists of rows back to back. */
class RowLists {
  readonly ends = new Growable(Float64Array);
  readonly entries = new Growable(Int32Array);

  push(entries: number[]): void {
    this.entries.append(Int32Array.from(entries).sort());
    this.ends.push(this.entries.length);
  }

  cut(rows: number): void {
    this.ends.cut(rows);
    this.entries.cut(rows === 0 ? 0 : (this.ends.view[rows - 1] as number));
  }

  /** As CSR over `rows` rows; those that do not exist are empty. */
  tensors(rows: number): { offsets: Tensor<'int64'>; terms: Tensor<'int32'> } {
    const offsets = Tensor.allocate('int64', [rows + 1]);
    const view = offsets.view();
    const ends = this.ends.view;
    for (let row = 0; row < ends.length; row++) view[row + 1] = BigInt(ends[row] as number);
    view.fill(BigInt(this.entries.length), ends.length + 1);
    return { offsets, terms: tensor(this.entries.view, { dtype: 'int32' }) };
  }
}

/**
 * Same layout and exactness as `FilterIndex`, other dictionary: terms are numbered as they come. Values that the main index
 * keeps a slice for get one here, and so do booleans and EXISTS; all others share the Bloom signature.
 */
export class GrowingFilter {
  readonly #fields: GrowingField[] = [];
  readonly #columns: Growable<BigInt64Array>[] = [];
  readonly #slices = new RowLists();
  readonly #terms = new RowLists();
  readonly #hashes = new Growable(BigInt64Array);
  #sliceCount = 0;

  /** @param main The index whose fields come first, with their types. */
  constructor(private readonly main: FilterIndex) {
    for (const field of main.manifest().fields) this.addField(field);
  }

  get rows(): number {
    return this.#terms.ends.length;
  }

  get bytes(): number {
    const lists = [this.#slices, this.#terms].flatMap(({ ends, entries }) => [ends.bytes, entries.bytes]);
    return [...lists, ...this.#columns.map(({ bytes }) => bytes), this.#hashes.bytes].reduce((sum, n) => sum + n, 0);
  }

  get fields(): readonly FieldKind[] {
    return this.#fields;
  }

  /** A new field, without a value in the rows so far. */
  addField({ name, type, multi }: FieldKind): void {
    const isNumber = (type === 'int64' || type === 'float64') && !multi;
    const column = isNumber ? this.#columns.length : undefined;
    if (isNumber) {
      const values = new Growable(BigInt64Array);
      values.extend(this.rows);
      this.#columns.push(values);
    }
    const index = this.#fields.length;
    this.#fields.push({ name, type, multi, index, existsSlice: this.#sliceCount++, column, terms: new Map() });
  }

  mark(): FilterMark {
    return { rows: this.rows, fields: this.#fields.length };
  }

  /** Forgets rows and fields that came after. Terms stay numbered: they match nothing. */
  rollBack({ rows, fields }: FilterMark): void {
    this.#slices.cut(rows);
    this.#terms.cut(rows);
    this.#fields.length = fields;
    this.#columns.length = this.#fields.filter(({ column }) => column !== undefined).length;
    for (const column of this.#columns) column.cut(rows);
  }

  append(values: ItemValues): void {
    const slices: number[] = [];
    const terms: number[] = [];
    for (const field of this.#fields) {
      const own = values[field.index] ?? [];
      if (own.length > 0) slices.push(field.existsSlice);
      if (field.column !== undefined) {
        this.#columns[field.column]?.push(own.length > 0 ? toStored(field.type, own[0] as AttributeValue) : 0n);
        continue;
      }
      for (const value of own) {
        const ref = this.#term(field, value);
        const list = ref.kind === 'slice' ? slices : terms;
        const entry = ref.kind === 'slice' ? ref.slice : ref.term;
        if (!list.includes(entry)) list.push(entry);
      }
    }
    this.#slices.push(slices);
    this.#terms.push(terms);
  }

  /** How filters are compiled for the rows so far, whatever is appended later. */
  schema(): FilterSchema {
    const slices = this.#sliceCount;
    const hashes = this.#hashes.length;
    const isOld = (ref: TermRef | undefined) => ref && (ref.kind === 'slice' ? ref.slice < slices : ref.term < hashes);
    const fields = this.#fields.map(({ column, terms, ...field }): [string, FieldSchema] => [
      field.name,
      {
        ...field,
        column: column === undefined ? undefined : { width: 64, index: column },
        lookup: (value) => {
          const ref = terms.get(String(value));
          return isOld(ref) ? ref : undefined;
        },
      },
    ]);
    return { fields: new Map(fields) };
  }

  /** Copies for `rows` rows, whole blocks of 512. Native ops do the work, on the device in scope. */
  async tensors(rows: number): Promise<FilterIndexTensors & Record<string, Tensor>> {
    const terms = this.#terms.tensors(rows);
    const slices = this.#slices.tensors(rows);
    const columns64 = Tensor.allocate('int64', [this.#columns.length, rows]);
    for (const [c, column] of this.#columns.entries()) columns64.view().set(column.view, c * rows);
    const count = this.#sliceCount;
    const hashes = tensor(this.#hashes.view, { dtype: 'int64' });
    return {
      slices: await this.#buildSlices(slices, count, rows),
      ...(await this.#buildBloom(terms, hashes, rows)),
      columns32: Tensor.allocate('int32', [0, 0]) as Tensor,
      columns64: columns64 as Tensor,
      termOffsets: terms.offsets as Tensor,
      terms: terms.terms as Tensor,
    };
  }

  async #buildSlices(rows: ReturnType<RowLists['tensors']>, count: number, length: number): Promise<Tensor> {
    if (count === 0) return Tensor.allocate('int64', [0, length / 64]) as Tensor;
    const own = tensor(Int32Array.from({ length: count }, (_, slice) => slice));
    return sliceBuild<Tensor>(rows as never, own, { slices: count }) as Promise<never>;
  }

  async #buildBloom(rows: ReturnType<RowLists['tensors']>, hashes: Tensor<'int64'>, length: number) {
    if (rows.terms.nbytes === 0) {
      const bloomOffsets = Tensor.allocate('int64', [length / BLOCK_ROWS + 1]) as Tensor;
      return { bloom: Tensor.allocate('int64', [0, 8]) as Tensor, bloomOffsets };
    }
    const layout = (await bloomLayout<Tensor>(rows.offsets as never)) as Tensor<'int64'>;
    const positions = Number(layout.view().at(-1));
    const options = { hashes: this.main.hashes, positions };
    const bloom = await bloomBuild<Tensor>(rows as never, hashes as Tensor, layout as Tensor, options);
    return { bloom: bloom as Tensor, bloomOffsets: layout as Tensor };
  }

  #term(field: GrowingField, value: AttributeValue): TermRef {
    const text = String(value);
    const known = field.terms.get(text);
    if (known) return known;
    const inMain = this.main.schema.fields.get(field.name)?.lookup(value)?.kind === 'slice';
    const ref: TermRef =
      inMain || field.type === 'boolean' || this.main.hashes === 0
        ? { kind: 'slice', slice: this.#sliceCount++ }
        : { kind: 'bloom', term: this.#hashes.length, hash: termHash(field.index, text) };
    if (ref.kind === 'bloom') this.#hashes.push(BigInt.asIntN(64, ref.hash));
    field.terms.set(text, ref);
    return ref;
  }
}

function toStored(type: FieldType, value: AttributeValue): bigint {
  return type === 'float64' ? float64Key(value as number) : BigInt(value as number | bigint);
}
