// Item ids: unique, in one type, known inside a model by their ordinal (publish order).
import { SilverlodeError } from '../errors.js';
import { breathe } from '../index/progress.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import type { ItemId, ItemIds } from './types.js';

export type IdKind = 'string' | 'number' | 'bigint';

type FlatIds = Int32Array | Float64Array | BigInt64Array | string[];

/** Names of the id tensors in a model file. */
const VALUES = 'ids.values';
const OFFSETS = 'ids.offsets';

/** Ids looked at between two turns of the event loop. */
const PACE_IDS = 65_536;

/** The ids of a catalogue. */
export class CatalogueIds {
  #ordinals: Map<ItemId, number> | undefined;

  private constructor(
    readonly kind: IdKind,
    private readonly values: readonly string[] | Float64Array | Int32Array | BigInt64Array,
  ) {}

  /**
   * Copies ids; whether each is used once is for `requireUnique` to say.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for mixed types or non-integers.
   */
  static from(ids: ItemIds): CatalogueIds {
    if (!Array.isArray(ids) && !(ids instanceof Int32Array) && !(ids instanceof BigInt64Array)) {
      throw new SilverlodeError(
        'INVALID_ARGUMENT',
        'items.ids must be string[], number[], bigint[], Int32Array or BigInt64Array',
      );
    }
    const kind = typeof ids[0] as IdKind;
    for (let item = 0; item < ids.length; item++) {
      const id: unknown = ids[item];
      if (typeof id === kind && isId(id)) continue;
      const message = `items.ids[${item}] is ${String(id)}: ids are all strings, all safe integers or all 64-bit bigints`;
      throw new SilverlodeError('INVALID_ARGUMENT', message, { item });
    }
    const values =
      kind === 'number'
        ? Float64Array.from(ids as number[])
        : kind === 'bigint'
          ? BigInt64Array.from(ids as bigint[])
          : [...(ids as string[])];
    return new CatalogueIds(
      kind,
      kind === 'number' && allInt32(values as Float64Array) ? Int32Array.from(values as Float64Array) : values,
    );
  }

  /** @throws SilverlodeError `INVALID_ARGUMENT` naming the first id that is used twice. */
  async requireUnique(): Promise<void> {
    const ordinals = new Map<ItemId, number>();
    for (let item = 0; item < this.length; item++) {
      if (item % PACE_IDS === PACE_IDS - 1) await breathe();
      const id = this.at(item);
      if (ordinals.has(id)) {
        throw new SilverlodeError('INVALID_ARGUMENT', `items.ids[${item}] repeats the id ${String(id)}`, { item, id });
      }
      ordinals.set(id, item);
    }
    this.#ordinals = ordinals;
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
    const made = new (this.values.constructor as Float64ArrayConstructor)(ordinals.length);
    ordinals.forEach((ordinal, i) => {
      made[i] = this.values[ordinal] as number;
    });
    return made;
  }

  #join(ids: ItemId[]): FlatIds {
    if (this.kind === 'string') return ids as string[];
    if (this.kind === 'bigint') return BigInt64Array.from(ids as bigint[]);
    const values = Float64Array.from(ids as number[]);
    return this.values instanceof Int32Array && allInt32(values) ? Int32Array.from(values) : values;
  }

  /** The ordinal of an id, undefined for one that the catalogue does not hold. */
  ordinalOf(id: ItemId): number | undefined {
    this.#ordinals ??= new Map(Array.from(this.values as ArrayLike<ItemId>, (known, item) => [known, item]));
    return this.#ordinals.get(id);
  }

  /** Tensors that hold the ids in a model file. */
  tensors(): Map<string, Tensor> {
    if (this.kind !== 'string') {
      const values = this.values as Float64Array | Int32Array | BigInt64Array;
      const stored = values instanceof Float64Array ? BigInt64Array.from(values, BigInt) : values;
      return new Map([[VALUES, tensor(stored) as Tensor]]);
    }
    const encoded = (this.values as string[]).map((id) => Buffer.from(id, 'utf8'));
    const offsets = new BigInt64Array(encoded.length + 1);
    encoded.forEach((bytes, i) => {
      offsets[i + 1] = (offsets[i] as bigint) + BigInt(bytes.length);
    });
    return new Map<string, Tensor>([
      [VALUES, tensor(new Uint8Array(Buffer.concat(encoded)))],
      [OFFSETS, tensor(offsets)],
    ]);
  }

  /** @throws SilverlodeError `CORRUPT_FILE`. */
  static restore(kind: string, tensors: ReadonlyMap<string, Tensor>, items: number): CatalogueIds {
    const values = tensors.get(VALUES);
    if (values === undefined) throw corrupt('the model has no item ids');
    const stored = values.view();
    if (kind === 'string') return new CatalogueIds('string', decode(stored as Uint8Array, tensors.get(OFFSETS), items));
    if (stored.length !== items || (kind !== 'number' && kind !== 'bigint'))
      throw corrupt('item ids do not fit the catalogue');
    if (kind === 'bigint') return new CatalogueIds('bigint', stored as BigInt64Array);
    return new CatalogueIds(
      'number',
      stored instanceof Int32Array ? stored : Float64Array.from(stored as BigInt64Array, Number),
    );
  }
}

/** Whether a value can be an id at all. */
export function isId(id: unknown): id is ItemId {
  if (typeof id === 'bigint') return BigInt.asIntN(64, id) === id;
  // Half a surrogate pair has no form in UTF-8; two such ids would become one in a file.
  return Number.isSafeInteger(id) || (typeof id === 'string' && !/\p{Surrogate}/u.test(id));
}

function allInt32(values: Float64Array): boolean {
  return values.every((value) => (value | 0) === value);
}

function decode(bytes: Uint8Array, offsetsTensor: Tensor | undefined, items: number): string[] {
  const offsets = offsetsTensor?.view() as BigInt64Array | undefined;
  if (!(offsets instanceof BigInt64Array) || offsets.length !== items + 1)
    throw corrupt('item ids do not fit the catalogue');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: items }, (_, i) => {
    const [begin, end] = [Number(offsets[i]), Number(offsets[i + 1])];
    if (begin < 0 || end < begin || end > text.length) throw corrupt(`the offset of item id ${i} is out of range`);
    return text.toString('utf8', begin, end);
  });
}

function corrupt(message: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', message, { field: VALUES });
}
