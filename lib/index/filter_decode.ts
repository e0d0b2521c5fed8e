// From a filter index back to the attributes of items, for updates and for folding segments into one.
import { numberOfKey } from '../filter/numbers.js';
import type { AttributeValue, FieldColumn, NumberField, TermField } from './attributes.js';
import type { FilterIndex } from './filter_index.js';
import type { FieldManifest } from './filter_manifest.js';
import type { Pace } from './pace.js';
import { inPieces, PIECE_NUMBERS } from './progress.js';

/** For fewer rows than this, slices are looked at bit by bit instead of word by word. */
const FEW_ROWS = 64;

/** Where every wanted row is among the wanted ones; -1 for the others. */
type Positions = Int32Array;

/** Collects entries of rows in two passes: first their number, then their codes. */
type Visit = (position: number, code: number) => void;

/**
 * The attributes of rows, in their order and with the types of the index; values are those that the index tells apart.
 *
 * @param rows Index rows, each at most once.
 */
export async function decodeFields(index: FilterIndex, rows: Int32Array, pace: Pace): Promise<FieldColumn[]> {
  const decoder = await Decoder.over(index, rows, pace);
  const fields: FieldColumn[] = [];
  for (const [f, field] of index.manifest().fields.entries()) {
    fields.push(field.column === undefined ? await decoder.terms(f, field) : await decoder.numbers(field));
  }
  return fields;
}

/** Values of one item of a decoded or encoded field. */
export function valuesOf(field: FieldColumn, item: number): AttributeValue[] {
  if (field.present[item] !== 1) return [];
  if (field.kind === 'numbers') {
    const number = field.numbers[item] as number | bigint;
    return [field.type === 'int64' ? BigInt(number) : number];
  }
  const codes = field.codes.subarray(field.offsets[item], field.offsets[item + 1]);
  return Array.from(codes, (code) => parseValue(field, field.texts[code] as string));
}

function parseValue({ type }: FieldColumn, text: string): AttributeValue {
  if (type === 'string') return text;
  if (type === 'boolean') return text === 'true';
  return type === 'int64' ? BigInt(text) : Number(text);
}

class Decoder {
  private readonly slices: Uint32Array;

  private constructor(
    private readonly index: FilterIndex,
    private readonly rows: Int32Array,
    private readonly pace: Pace,
    /** 32-bit words of one slice. */
    private readonly words: number,
    private readonly positions: Positions,
  ) {
    const slices = index.slices.view();
    this.slices = new Uint32Array(slices.buffer, slices.byteOffset, slices.length * 2);
  }

  static async over(index: FilterIndex, rows: Int32Array, pace: Pace): Promise<Decoder> {
    const words = 2 * (index.slices.shape[1] as number);
    const positions = new Int32Array(words * 32);
    await inPieces(positions.length, (begin, end) => positions.fill(-1, begin, end), PIECE_NUMBERS);
    await inPieces(rows.length, (begin, end) => {
      for (let position = begin; position < end; position++) positions[rows[position] as number] = position;
    });
    return new Decoder(index, rows, pace, words, positions);
  }

  async numbers({ name, type, multi, existsSlice, column }: FieldManifest): Promise<NumberField> {
    const { columns32, columns64 } = this.index;
    const { width, index } = column as NonNullable<FieldManifest['column']>;
    const table = width === 32 ? columns32 : columns64;
    const begin = index * (table.shape[1] as number);
    const stored = table.view() as Int32Array | BigInt64Array;
    const present = this.present(existsSlice);
    const count = this.rows.length;
    const numbers = type === 'int64' ? new BigInt64Array(count) : new Float64Array(count);
    await this.pace.over(count, (first, last) => {
      for (let i = first; i < last; i++) {
        if (present[i] !== 1) continue;
        const value = BigInt(stored[begin + (this.rows[i] as number)] as number | bigint);
        numbers[i] = type === 'int64' ? value : numberOfKey(value);
      }
    });
    return { kind: 'numbers', name, type, multi, present, numbers };
  }

  async terms(f: number, { name, type, multi, existsSlice }: FieldManifest): Promise<TermField> {
    const fields = this.index.dictionaryFields.view();
    const [first, last] = [fields[f] as number, fields[f + 1] as number];
    const offsets = new Uint32Array(this.rows.length + 1);
    const used = new Uint8Array(last - first);
    await this.visit(first, last, (position, code) => {
      (offsets[position + 1] as number)++;
      used[code] = 1;
    });
    await this.pace.over(this.rows.length, (begin, end) => {
      for (let i = begin; i < end; i++) (offsets[i + 1] as number) += offsets[i] as number;
    });
    const codes = new Int32Array(offsets.at(-1) as number);
    const newCodes = new Int32Array(used.length);
    const texts: string[] = [];
    await this.pace.over(used.length, (begin, end) => {
      for (let code = begin; code < end; code++) {
        newCodes[code] = texts.length;
        if (used[code] === 1) texts.push(this.text(first + code));
      }
    });
    const next = offsets.slice();
    await this.visit(first, last, (position, code) => {
      codes[next[position] as number] = newCodes[code] as number;
      next[position] = (next[position] as number) + 1;
    });
    return { kind: 'terms', name, type, multi, present: this.present(existsSlice), texts, offsets, codes };
  }

  /** Calls `visit` with every term from `first` to `last` that a wanted row holds. */
  private async visit(first: number, last: number, visit: Visit): Promise<void> {
    const sliceOf = this.index.dictionarySlices.view();
    for (let term = first; term < last; term++) {
      const slice = sliceOf[term] as number;
      if (slice < 0) continue;
      let visits = 0;
      this.visitSlice(slice, (position) => {
        visit(position, term - first);
        visits++;
      });
      await this.pace.spend(Math.min(this.rows.length, this.words) + visits);
    }
    const offsets = this.index.termOffsets.view();
    const terms = this.index.terms.view();
    if (offsets.length === 0) return;
    await this.pace.over(this.rows.length, (begin, end) => {
      for (let position = begin; position < end; position++) {
        const row = this.rows[position] as number;
        const stop = Math.min(terms.length, offsets[row + 1] as number);
        for (let i = Math.max(0, offsets[row] as number); i < stop; i++) {
          const term = terms[i] as number;
          if (term >= first && term < last) visit(position, term - first);
        }
      }
    });
  }

  private visitSlice(slice: number, visit: (position: number) => void): void {
    const begin = slice * this.words;
    if (this.rows.length < FEW_ROWS) {
      this.rows.forEach((row, position) => {
        if ((((this.slices[begin + (row >> 5)] as number) >>> (row & 31)) & 1) === 1) visit(position);
      });
      return;
    }
    for (let word = 0; word < this.words; word++) {
      for (let bits = this.slices[begin + word] as number; bits !== 0; bits &= bits - 1) {
        const position = this.positions[word * 32 + 31 - Math.clz32(bits & -bits)] as number;
        if (position >= 0) visit(position);
      }
    }
  }

  private present(existsSlice: number): Uint8Array {
    const present = new Uint8Array(this.rows.length);
    if (existsSlice < 0) return present.fill(1);
    this.visitSlice(existsSlice, (position) => {
      present[position] = 1;
    });
    return present;
  }

  private text(term: number): string {
    const { dictionaryBytes, dictionaryOffsets } = this.index;
    const offsets = dictionaryOffsets.view();
    const bytes = dictionaryBytes.view().subarray(Number(offsets[term]), Number(offsets[term + 1]));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  }
}
