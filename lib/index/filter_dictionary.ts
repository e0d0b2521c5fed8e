import { SilverlodeError } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';
import type { FieldColumn } from './attributes.js';
import type { Pace } from './pace.js';

/**
 * The distinct values of all fields as tensors. A *term* is one value of one field; terms are numbered field by field, and
 * within a field in the order of their texts' bytes.
 */
export interface DictionaryTensors {
  /** uint8: the texts, `String(value)` in UTF-8, back to back. */
  dictionaryBytes: Tensor<'uint8'>;
  /** int64 [terms + 1]: first byte of a text. */
  dictionaryOffsets: Tensor<'int64'>;
  /** int32 [fields + 1]: first term of a field. */
  dictionaryFields: Tensor<'int32'>;
  /** int32 [terms]: exact slice of a term, -1 for none. */
  dictionarySlices: Tensor<'int32'>;
  /** int32 [terms]: items that held a term when the index was built. */
  dictionaryItems: Tensor<'int32'>;
}

/**
 * Looks terms up by binary search in the tensors themselves, so that opening a dictionary of millions of terms costs
 * nothing, and the first filter no more than the next.
 */
export class FilterDictionary {
  private readonly bytes: Uint8Array;
  private readonly offsets: BigInt64Array;
  private readonly fields: Int32Array;
  private readonly slices: Int32Array;
  private readonly items: Int32Array;

  constructor(tensors: DictionaryTensors) {
    this.bytes = tensors.dictionaryBytes.view();
    this.offsets = tensors.dictionaryOffsets.view();
    this.fields = tensors.dictionaryFields.view();
    this.slices = tensors.dictionarySlices.view();
    this.items = tensors.dictionaryItems.view();
  }

  /**
   * The term of a value of a field, -1 when there is none.
   *
   * @throws {@link SilverlodeError} `CORRUPT_FILE` for offsets that are not ones.
   */
  find(field: number, text: string): number {
    const wanted = Buffer.from(text);
    if (wanted.toString() !== text) return -1; // half a surrogate pair, which no value holds
    let low = this.fields[field] as number;
    let high = (this.fields[field + 1] as number) - 1;
    while (low <= high) {
      const middle = low + ((high - low) >> 1);
      const order = this.compare(middle, wanted);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private compare(term: number, wanted: Uint8Array): number {
    const begin = Number(this.offsets[term]);
    const end = Number(this.offsets[term + 1]);
    if (begin < 0 || begin > end || end > this.bytes.length)
      throw corrupt('dictionaryOffsets', `entry ${term} is wrong`);
    return compareBytes(this.bytes, begin, end, wanted, 0, wanted.length);
  }

  /** The exact slice of a term, -1 for none. */
  slice(term: number): number {
    return this.slices[term] as number;
  }

  /** How many items hold a term. */
  holders(term: number): number {
    return this.items[term] as number;
  }
}

/** Numbers the terms of all fields; `termOf[f][code]` is the term of a code of field `f`. */
export async function buildDictionary(
  fields: readonly FieldColumn[],
  pace: Pace,
): Promise<{ tensors: DictionaryTensors; termOf: Int32Array[] }> {
  const sorted: SortedTexts[] = [];
  for (const field of fields) sorted.push(await sortTexts(field.kind === 'terms' ? field.texts : [], pace));
  const terms = sorted.reduce((sum, { order }) => sum + order.length, 0);
  const tensors = {
    dictionaryBytes: Tensor.allocate('uint8', [sorted.reduce((sum, { bytes }) => sum + bytes.length, 0)]),
    dictionaryOffsets: Tensor.allocate('int64', [terms + 1]),
    dictionaryFields: Tensor.allocate('int32', [fields.length + 1]),
    dictionarySlices: Tensor.allocate('int32', [terms]),
    dictionaryItems: Tensor.allocate('int32', [terms]),
  };
  const bytes = tensors.dictionaryBytes.view();
  const offsets = tensors.dictionaryOffsets.view();
  let term = 0;
  let at = 0;
  const termOf: Int32Array[] = [];
  for (const [f, texts] of sorted.entries()) {
    const own = new Int32Array(texts.order.length);
    await pace.over(own.length, (begin, end) => {
      for (const code of texts.order.subarray(begin, end)) {
        own[code] = term++;
        const last = texts.ends[code + 1] as number;
        for (let i = texts.ends[code] as number; i < last; i++) bytes[at++] = texts.bytes[i] as number;
        offsets[term] = BigInt(at);
      }
    });
    termOf.push(own);
    tensors.dictionaryFields.view()[f + 1] = term;
  }
  return { tensors, termOf };
}

/** Texts in UTF-8; text `i` ends at `ends[i + 1]`. */
interface SortedTexts {
  readonly bytes: Uint8Array;
  readonly ends: Float64Array;
  /** Indices of the texts in ascending order. */
  readonly order: Uint32Array;
}

/** A merge sort, since the built-in one would hold up the event loop. */
async function sortTexts(texts: readonly string[], pace: Pace): Promise<SortedTexts> {
  const count = texts.length;
  const ends = new Float64Array(count + 1);
  await pace.over(count, (begin, end) => {
    for (let i = begin; i < end; i++) ends[i + 1] = (ends[i] as number) + Buffer.byteLength(texts[i] as string);
  });
  const bytes = Buffer.alloc(ends[count] as number);
  await pace.over(count, (begin, end) => {
    for (let i = begin; i < end; i++) bytes.write(texts[i] as string, ends[i] as number);
  });
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let other = new Uint32Array(count);
  for (let width = 1; width < count; width *= 2) {
    for (let begin = 0; begin < count; begin += 2 * width) {
      const middle = Math.min(count, begin + width);
      merge({ bytes, ends, order }, other, begin, middle, Math.min(count, middle + width));
      await pace.spend(2 * width);
    }
    [order, other] = [other, order];
  }
  return { bytes, ends, order };
}

/** Merges two neighbouring sorted runs. */
function merge({ bytes, ends, order }: SortedTexts, to: Uint32Array, begin: number, middle: number, end: number): void {
  let left = begin;
  let right = middle;
  for (let at = begin; at < end; at++) {
    const a = order[left] as number;
    const b = order[right] as number;
    const takeRight =
      left === middle ||
      (right < end &&
        compareBytes(bytes, ends[a] as number, ends[a + 1] as number, bytes, ends[b] as number, ends[b + 1] as number) >
          0);
    to[at] = takeRight ? b : a;
    if (takeRight) right++;
    else left++;
  }
}

/** Negative, zero or positive as the bytes of `a` come before, equal or follow those of `b`. */
function compareBytes(
  a: Uint8Array,
  aBegin: number,
  aEnd: number,
  b: Uint8Array,
  bBegin: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aBegin, bEnd - bBegin);
  for (let i = 0; i < length; i++) {
    const difference = (a[aBegin + i] as number) - (b[bBegin + i] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aBegin - (bEnd - bBegin);
}

/** What is wrong with a part of an index that was read from a file. */
export function corrupt(part: string, problem: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `Filter index: ${part} ${problem}`, { part });
}
