// Attributes of single rows, read where they lie: for what comes back with a result.
import { numberOfKey } from '../filter/numbers.js';
import type { AttributeValue } from './attributes.js';
import type { FilterIndex } from './filter_index.js';
import type { FieldManifest } from './filter_manifest.js';

/** Slices of a field and the terms that they stand for. */
interface FieldSlices {
  slices: Int32Array;
  terms: Int32Array;
}

/** Reads rows of one index. */
export class RowValues {
  readonly #fields: readonly FieldManifest[];
  readonly #slices = new Map<number, FieldSlices>();
  readonly #bits: Uint32Array;
  /** 32-bit words of one slice. */
  readonly #words: number;

  constructor(private readonly index: FilterIndex) {
    this.#fields = index.manifest().fields;
    const slices = index.slices.view();
    this.#bits = new Uint32Array(slices.buffer, slices.byteOffset, slices.length * 2);
    this.#words = 2 * (index.slices.shape[1] as number);
  }

  /** Values of field number `f`; of a field of several values in the order of the dictionary. */
  at(f: number, row: number): AttributeValue[] {
    const field = this.#fields[f] as FieldManifest;
    if (field.existsSlice >= 0 && !this.#holds(field.existsSlice, row)) return [];
    return field.column ? [this.#number(field, row)] : this.#terms(f, row).map((term) => this.#value(field, term));
  }

  #number({ type, column }: FieldManifest, row: number): AttributeValue {
    const { width, index } = column as NonNullable<FieldManifest['column']>;
    const table = width === 32 ? this.index.columns32 : this.index.columns64;
    const stored = table.view()[index * (table.shape[1] as number) + row] as number | bigint;
    return type === 'int64' ? plain(BigInt(stored)) : numberOfKey(BigInt(stored));
  }

  #terms(f: number, row: number): number[] {
    const { dictionaryFields, termOffsets, terms } = this.index;
    const [first, last] = [dictionaryFields.view()[f] as number, dictionaryFields.view()[f + 1] as number];
    const { slices, terms: sliced } = this.#slicesOf(f, first, last);
    const found: number[] = [];
    for (let i = 0; i < slices.length; i++) if (this.#holds(slices[i] as number, row)) found.push(sliced[i] as number);
    const offsets = termOffsets.view();
    if (offsets.length === 0) return found;
    const own = terms.view();
    const stop = Math.min(own.length, offsets[row + 1] as number);
    for (let i = Math.max(0, offsets[row] as number); i < stop; i++) {
      const term = own[i] as number;
      if (term >= first && term < last) found.push(term);
    }
    return found.sort((a, b) => a - b);
  }

  #slicesOf(f: number, first: number, last: number): FieldSlices {
    const known = this.#slices.get(f);
    if (known) return known;
    const all = this.index.dictionarySlices.view();
    const terms = Int32Array.from({ length: last - first }, (_, i) => first + i).filter(
      (term) => (all[term] as number) >= 0,
    );
    const made = { terms, slices: terms.map((term) => all[term] as number) };
    this.#slices.set(f, made);
    return made;
  }

  #holds(slice: number, row: number): boolean {
    return (((this.#bits[slice * this.#words + (row >> 5)] as number) >>> (row & 31)) & 1) === 1;
  }

  #value({ type }: FieldManifest, term: number): AttributeValue {
    const { dictionaryBytes, dictionaryOffsets } = this.index;
    const offsets = dictionaryOffsets.view();
    const { buffer, byteOffset, length } = dictionaryBytes
      .view()
      .subarray(Number(offsets[term]), Number(offsets[term + 1]));
    const text = Buffer.from(buffer, byteOffset, length).toString('utf8');
    if (type === 'string') return text;
    if (type === 'boolean') return text === 'true';
    return type === 'int64' ? plain(BigInt(text)) : Number(text);
  }
}

/** An integer as a number where that holds it, else as a bigint. */
export function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
