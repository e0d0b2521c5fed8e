// Item ids: unique, in one type, known inside a model by their ordinal (publish order).
import { SilverlodeError } from '../errors.js';
import { inPieces } from '../index/progress.js';
import { ShardedMap } from '../index/sharded_map.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import type { ItemId, ItemIds } from './types.js';

export type IdKind = 'string' | 'number' | 'bigint';

type FlatIds = Int32Array | Float64Array | BigInt64Array | string[];

/** Names of the id tensors in a model file. */
const VALUES = 'ids.values';
const OFFSETS = 'ids.offsets';

/** Ids looked at between two turns of the event loop; strings are small objects, which keep the garbage collector busy. */
const PIECE_IDS = 8192;
/** The same for entries of the lookup, each of which touches memory of its own. */
const PIECE_ENTRIES = 2048;

/** The ids of a catalogue. */
export class CatalogueIds {
  #lookup: ShardedMap<ItemId> | undefined;
  #preparing: Promise<void> | undefined;

  private constructor(
    readonly kind: IdKind,
    private readonly values: readonly string[] | Float64Array | Int32Array | BigInt64Array,
  ) {}

  /**
   * Copies ids while the event loop runs; whether each is used once is for `requireUnique` to say.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for mixed types or non-integers.
   */
  static async from(ids: ItemIds): Promise<CatalogueIds> {
    requireIdList(ids);
    const kind = typeof ids[0] as IdKind;
    const count = ids.length;
    const values = kind === 'number' ? new Float64Array(count) : kind === 'bigint' ? new BigInt64Array(count) : [];
    let isInt32 = true;
    await inPieces(
      count,
      (begin, end) => {
        for (let item = begin; item < end; item++) {
          const id = ids[item];
          if (typeof id !== kind || !isId(id)) throw notAnId(id, item);
          if (kind === 'number') isInt32 &&= ((id as number) | 0) === id;
          (values as ItemId[])[item] = id;
        }
      },
      PIECE_IDS,
    );
    return new CatalogueIds(kind, kind === 'number' && isInt32 ? await toInt32(values as Float64Array) : values);
  }

  /** @throws SilverlodeError `INVALID_ARGUMENT` naming the first id that is used twice. */
  async requireUnique(): Promise<void> {
    await this.#buildLookup((id, item) => {
      throw new SilverlodeError('INVALID_ARGUMENT', `items.ids[${item}] repeats the id ${String(id)}`, { item, id });
    });
  }

  async #buildLookup(onRepeated: (id: ItemId, item: number) => void): Promise<void> {
    const lookup = new ShardedMap<ItemId>();
    await inPieces(
      this.length,
      (begin, end) => {
        for (let item = begin; item < end; item++) {
          const id = this.at(item);
          if (!lookup.add(id, item)) onRepeated(id, item);
        }
      },
      PIECE_ENTRIES,
    );
    this.#lookup = lookup;
  }

  get length(): number {
    return this.values.length;
  }

  at(ordinal: number): ItemId {
    return this.values[ordinal] as ItemId;
  }

  /** Ids of the ordinals [begin, end). */
  list(ordinals: Int32Array, begin: number, end: number): ItemId[] {
    const ids = new Array<ItemId>(end - begin);
    for (let i = begin; i < end; i++) ids[i - begin] = this.values[ordinals[i] as number] as ItemId;
    return ids;
  }

  /**
   * Ids of many ordinals at once, numeric ones as a typed array; `added` are those of the ordinals that follow the catalogue's.
   */
  gather(ordinals: Int32Array, added?: readonly ItemId[]): FlatIds {
    if (added) return this.#join(Array.from(ordinals, (ordinal) => added[ordinal - this.length] ?? this.at(ordinal)));
    if (this.kind === 'string') return Array.from(ordinals, (ordinal) => this.values[ordinal] as string);
    const values = this.values as Float64Array;
    const made = new (values.constructor as Float64ArrayConstructor)(ordinals.length);
    for (let i = 0; i < made.length; i++) made[i] = values[ordinals[i] as number] as number;
    return made;
  }

  #join(ids: ItemId[]): FlatIds {
    if (this.kind === 'string') return ids as string[];
    if (this.kind === 'bigint') return BigInt64Array.from(ids as bigint[]);
    const values = Float64Array.from(ids as number[]);
    return isTypedArrayOf(this.values, Int32Array) && allInt32(values) ? Int32Array.from(values) : values;
  }

  /**
   * The ordinal of an id, undefined for one that the catalogue does not hold. `prepareLookup` first, where that can be waited
   * for: else a list of millions is read in one go.
   */
  ordinalOf(id: ItemId): number | undefined {
    if (this.#lookup === undefined) {
      const lookup = new ShardedMap<ItemId>();
      for (let item = 0; item < this.length; item++) lookup.add(this.at(item), item);
      this.#lookup = lookup;
    }
    return this.#lookup.get(id);
  }

  /** Whether `ordinalOf` answers at once. */
  get isPrepared(): boolean {
    return this.#lookup !== undefined;
  }

  /** Gets `ordinalOf` ready while the event loop runs. */
  async prepareLookup(): Promise<void> {
    if (this.#lookup !== undefined) return;
    this.#preparing ??= this.#buildLookup(() => undefined);
    await this.#preparing;
  }

  /** Tensors that hold the ids in a model file. */
  async tensors(): Promise<Map<string, Tensor>> {
    const { values } = this;
    if (isTypedArrayOf(values, Float64Array)) {
      const stored = Tensor.allocate('int64', [values.length]);
      const view = stored.view();
      await inPieces(values.length, (begin, end) => {
        for (let item = begin; item < end; item++) view[item] = BigInt(values[item] as number);
      });
      return new Map([[VALUES, stored as Tensor]]);
    }
    if (isTypedArrayOf(values, Int32Array) || isTypedArrayOf(values, BigInt64Array))
      return new Map([[VALUES, tensor(values) as Tensor]]);
    return encode(values as readonly string[]);
  }

  /** @throws SilverlodeError `CORRUPT_FILE`. */
  static async restore(kind: string, tensors: ReadonlyMap<string, Tensor>, items: number): Promise<CatalogueIds> {
    const values = tensors.get(VALUES);
    if (values === undefined) throw corrupt('the model has no item ids');
    const stored = values.view();
    if (kind === 'string')
      return new CatalogueIds('string', await decode(stored as Uint8Array, tensors.get(OFFSETS), items));
    if (stored.length !== items || (kind !== 'number' && kind !== 'bigint'))
      throw corrupt('item ids do not fit the catalogue');
    if (kind === 'bigint') return new CatalogueIds('bigint', stored as BigInt64Array);
    if (isTypedArrayOf(stored, Int32Array)) return new CatalogueIds('number', stored);
    const numbers = new Float64Array(items);
    await inPieces(items, (begin, end) => {
      for (let item = begin; item < end; item++) numbers[item] = Number(stored[item]);
    });
    return new CatalogueIds('number', numbers);
  }
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for what cannot hold ids. */
export function requireIdList(ids: unknown): asserts ids is ItemIds {
  if (Array.isArray(ids) || isTypedArrayOf(ids, Int32Array) || isTypedArrayOf(ids, BigInt64Array)) return;
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    'items.ids must be string[], number[], bigint[], Int32Array or BigInt64Array',
  );
}

function notAnId(id: unknown, item: number): SilverlodeError {
  const message = `items.ids[${item}] is ${String(id)}: ids are all strings, all safe integers or all 64-bit bigints`;
  return new SilverlodeError('INVALID_ARGUMENT', message, { item });
}

/** Whether a value can be an id at all. */
export function isId(id: unknown): id is ItemId {
  if (typeof id === 'bigint') return BigInt.asIntN(64, id) === id;
  // Half a surrogate pair has no form in UTF-8; two such ids would become one in a file.
  return Number.isSafeInteger(id) || (typeof id === 'string' && id.isWellFormed());
}

function allInt32(values: Float64Array): boolean {
  return values.every((value) => (value | 0) === value);
}

async function toInt32(values: Float64Array): Promise<Int32Array> {
  const narrow = new Int32Array(values.length);
  await inPieces(values.length, (begin, end) => narrow.set(values.subarray(begin, end), begin));
  return narrow;
}

async function encode(ids: readonly string[]): Promise<Map<string, Tensor>> {
  const offsets = Tensor.allocate('int64', [ids.length + 1]);
  const ends = offsets.view();
  let length = 0;
  await inPieces(ids.length, (begin, end) => {
    for (let item = begin; item < end; item++) {
      length += Buffer.byteLength(ids[item] as string);
      ends[item + 1] = BigInt(length);
    }
  });
  const values = Tensor.allocate('uint8', [length]);
  const { buffer, byteOffset } = values.view();
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length);
  let at = 0;
  await inPieces(ids.length, (begin, end) => {
    for (let item = begin; item < end; item++) at += bytes.write(ids[item] as string, at);
  });
  return new Map<string, Tensor>([
    [VALUES, values as Tensor],
    [OFFSETS, offsets as Tensor],
  ]);
}

async function decode(bytes: Uint8Array, offsetsTensor: Tensor | undefined, items: number): Promise<string[]> {
  const offsets = offsetsTensor?.view() as BigInt64Array | undefined;
  if (!isTypedArrayOf(offsets, BigInt64Array) || offsets.length !== items + 1)
    throw corrupt('item ids do not fit the catalogue');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const ids: string[] = [];
  let first = Number(offsets[0]);
  await inPieces(
    items,
    (begin, end) => {
      for (let item = begin; item < end; item++) {
        const last = Number(offsets[item + 1]);
        if (first < 0 || last < first || last > text.length)
          throw corrupt(`the offset of item id ${item} is out of range`);
        ids.push(text.toString('utf8', first, last));
        first = last;
      }
    },
    PIECE_IDS,
  );
  return ids;
}

function corrupt(message: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', message, { field: VALUES });
}
