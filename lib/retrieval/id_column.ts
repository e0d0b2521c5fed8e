// Ids by ordinal as a model file holds them, read where they lie: nothing is copied when a model is loaded.
import { SilverlodeError } from '../errors.js';
import { inPieces } from '../index/progress.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { ItemId } from './types.js';

/** Names of the id tensors in a model file. */
export const ID_VALUES = 'ids.values';
export const ID_OFFSETS = 'ids.offsets';

/** Ids of one kind, and an id that is looked up among them. */
export interface IdColumn {
  readonly length: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
  at(ordinal: number): ItemId;
  /** 32 bits of the id at an ordinal. */
  hashAt(ordinal: number): number;
  /** The same of an id to look up, which `compareAt` then compares with; undefined for one that cannot be among these. */
  hashOf(id: ItemId): number | undefined;
  /** Negative where the id looked up comes before that at the ordinal, 0 where it is the same. */
  compareAt(ordinal: number): number;
}

/** Integers: int32 [items], or int64 [items] read as pairs of 32 bits. */
export class IntegerIds implements IdColumn {
  readonly #narrow: Int32Array | undefined;
  readonly #wide: BigInt64Array | undefined;
  readonly #halves: Int32Array;
  #low = 0;
  #high = 0;

  readonly tensors: ReadonlyMap<string, Tensor>;

  constructor(
    private readonly kind: 'number' | 'bigint',
    values: Tensor,
  ) {
    const stored = values.view();
    this.tensors = new Map([[ID_VALUES, values]]);
    if (isTypedArrayOf(stored, Int32Array)) this.#narrow = stored;
    else this.#wide = stored as BigInt64Array;
    this.#halves = new Int32Array(stored.buffer, stored.byteOffset, stored.byteLength / 4);
  }

  /** Integers in a tensor of their own; numbers that all fit are int32. */
  static async from(ids: Float64Array | BigInt64Array, piece: number): Promise<IntegerIds> {
    if (isTypedArrayOf(ids, BigInt64Array)) return new IntegerIds('bigint', tensor(ids) as Tensor);
    let isNarrow = true;
    const look = (begin: number, end: number) => {
      isNarrow &&= ids.subarray(begin, end).every((id) => (id | 0) === id);
    };
    await inPieces(ids.length, look, piece);
    const values = Tensor.allocate(isNarrow ? 'int32' : 'int64', [ids.length]);
    const view = values.view();
    const copy = (begin: number, end: number) => {
      if (isTypedArrayOf(view, Int32Array)) view.set(ids.subarray(begin, end), begin);
      else for (let item = begin; item < end; item++) view[item] = BigInt(ids[item] as number);
    };
    await inPieces(ids.length, copy, piece);
    return new IntegerIds('number', values as Tensor);
  }

  get isInt32(): boolean {
    return this.#narrow !== undefined;
  }

  get length(): number {
    return (this.#narrow ?? (this.#wide as BigInt64Array)).length;
  }

  at(ordinal: number): number | bigint {
    if (this.#narrow) return this.#narrow[ordinal] as number;
    const id = (this.#wide as BigInt64Array)[ordinal] as bigint;
    return this.kind === 'number' ? Number(id) : id;
  }

  /** Ids of many ordinals. */
  gather(ordinals: Int32Array): Int32Array | Float64Array | BigInt64Array {
    if (this.#narrow) return Int32Array.from(ordinals, (ordinal) => this.at(ordinal) as number);
    if (this.kind === 'number') return Float64Array.from(ordinals, (ordinal) => this.at(ordinal) as number);
    const ids = new BigInt64Array(ordinals.length);
    for (let i = 0; i < ids.length; i++) ids[i] = this.at(ordinals[i] as number) as bigint;
    return ids;
  }

  hashAt(ordinal: number): number {
    return hashPair(this.#lowAt(ordinal), this.#highAt(ordinal));
  }

  hashOf(id: ItemId): number | undefined {
    if (typeof id !== this.kind) return undefined;
    if (typeof id === 'number') {
      if (!Number.isSafeInteger(id)) return undefined;
      this.#low = id | 0; // modulo 2^32
      this.#high = Math.floor(id / 2 ** 32);
    } else {
      if (BigInt.asIntN(64, id as bigint) !== id) return undefined;
      this.#low = Number(BigInt.asIntN(32, id));
      this.#high = Number(id >> 32n);
    }
    return hashPair(this.#low, this.#high);
  }

  compareAt(ordinal: number): number {
    return this.#high - this.#highAt(ordinal) || (this.#low >>> 0) - (this.#lowAt(ordinal) >>> 0);
  }

  #lowAt(ordinal: number): number {
    return this.#halves[this.#narrow ? ordinal : 2 * ordinal] as number;
  }

  #highAt(ordinal: number): number {
    return this.#narrow ? (this.#narrow[ordinal] as number) >> 31 : (this.#halves[2 * ordinal + 1] as number);
  }
}

/** Texts: uint8, UTF-8 back to back, and int64 [items + 1], where each begins. */
export class StringIds implements IdColumn {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly length: number;
  readonly #text: Buffer;
  /** Low and high 32 bits of every offset, in turn. */
  readonly #offsets: Uint32Array;
  #sought = Buffer.alloc(0);
  #soughtLength = 0;

  constructor(values: Tensor, offsets: Tensor) {
    this.tensors = new Map([
      [ID_VALUES, values],
      [ID_OFFSETS, offsets],
    ]);
    const [text, ends] = [values.view(), offsets.view()];
    this.length = ends.length - 1;
    this.#text = Buffer.from(text.buffer as ArrayBuffer, text.byteOffset, text.byteLength);
    this.#offsets = new Uint32Array(ends.buffer, ends.byteOffset, 2 * ends.length);
  }

  /** Texts in tensors of their own. */
  static async encode(ids: readonly string[], piece: number): Promise<StringIds> {
    const offsets = Tensor.allocate('int64', [ids.length + 1]);
    const ends = offsets.view();
    let length = 0;
    const measure = (begin: number, end: number) => {
      for (let item = begin; item < end; item++) {
        length += Buffer.byteLength(ids[item] as string);
        ends[item + 1] = BigInt(length);
      }
    };
    await inPieces(ids.length, measure, piece);
    const values = Tensor.allocate('uint8', [length]);
    const { buffer, byteOffset } = values.view();
    const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length);
    let at = 0;
    const write = (begin: number, end: number) => {
      for (let item = begin; item < end; item++) at += bytes.write(ids[item] as string, at);
    };
    await inPieces(ids.length, write, piece);
    return new StringIds(values as Tensor, offsets as Tensor);
  }

  at(ordinal: number): string {
    return this.#text.toString('utf8', this.#begin(ordinal), this.#end(ordinal));
  }

  hashAt(ordinal: number): number {
    return hashBytes(this.#text, this.#begin(ordinal), this.#end(ordinal));
  }

  hashOf(id: ItemId): number | undefined {
    // Half a surrogate pair would be written as the replacement character, which another id may have.
    if (typeof id !== 'string' || !id.isWellFormed()) return undefined;
    if (this.#sought.length < 3 * id.length) this.#sought = Buffer.alloc(6 * id.length);
    this.#soughtLength = this.#sought.write(id);
    return hashBytes(this.#sought, 0, this.#soughtLength);
  }

  compareAt(ordinal: number): number {
    const [begin, end] = [this.#begin(ordinal), this.#end(ordinal)];
    return this.#sought.compare(this.#text, begin, end, 0, this.#soughtLength);
  }

  #begin(ordinal: number): number {
    return (this.#offsets[2 * ordinal] as number) + 2 ** 32 * (this.#offsets[2 * ordinal + 1] as number);
  }

  #end(ordinal: number): number {
    const [begin, end] = [this.#begin(ordinal), this.#begin(ordinal + 1)];
    if (begin <= end && end <= this.#text.length) return end;
    const message = `the offset of item id ${ordinal} is out of range`;
    throw new SilverlodeError('CORRUPT_FILE', message, { field: ID_OFFSETS });
  }
}

/** MurmurHash3_x86_32 (Austin Appleby, public domain) of two words. */
function hashPair(low: number, high: number): number {
  return finish(mix(mix(0, low), high) ^ 8);
}

/** The same of bytes. */
function hashBytes(bytes: Uint8Array, begin: number, end: number): number {
  let hash = 0;
  let at = begin;
  for (; at + 4 <= end; at += 4) {
    const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number, number];
    hash = mix(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let rest = 0;
  for (let byte = end - 1; byte >= at; byte--) rest = (rest << 8) | (bytes[byte] as number);
  return finish(hash ^ scramble(rest) ^ (end - begin));
}

function mix(hash: number, word: number): number {
  const mixed = hash ^ scramble(word);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function scramble(word: number): number {
  const once = Math.imul(word, 0xcc9e2d51);
  return Math.imul((once << 15) | (once >>> 17), 0x1b873593);
}

/** As an unsigned number. */
function finish(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}
