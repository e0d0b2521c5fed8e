// Item ids: unique, in one type, known inside a model by their ordinal (publish order).
import { SilverlodeError } from '../errors.js';
import { inPieces } from '../index/progress.js';
import type { Tensor } from '../tensor/tensor.js';
import { isDetached, isTypedArrayOf } from '../tensor/typed_array.js';
import { ID_OFFSETS, ID_VALUES, type IdColumn, IntegerIds, StringIds } from './id_column.js';
import { ID_LOOKUP, IdLookup } from './id_lookup.js';
import type { ItemId, ItemIds } from './types.js';

export type IdKind = 'string' | 'number' | 'bigint';

type FlatIds = Int32Array | Float64Array | BigInt64Array | string[];

/** Ids looked at between two turns of the event loop; strings are small objects, which keep the garbage collector busy. */
const PIECE_IDS = 8192;

/** The ids of a catalogue. */
export class CatalogueIds {
  #lookup: IdLookup | undefined;

  private constructor(
    readonly kind: IdKind,
    private readonly column: IdColumn,
    lookup?: Tensor,
  ) {
    if (lookup) this.#lookup = new IdLookup(column, lookup);
  }

  /**
   * Copies ids while the event loop runs; whether each is used once is for `index` to say.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for mixed types or non-integers.
   */
  static async from(ids: ItemIds): Promise<CatalogueIds> {
    requireIdList('items.ids', ids);
    const kind = typeof ids[0] as IdKind;
    const count = ids.length;
    const own = kind === 'number' ? new Float64Array(count) : kind === 'bigint' ? new BigInt64Array(count) : [];
    const copy = (begin: number, end: number) => {
      for (let item = begin; item < end; item++) {
        const id = ids[item];
        if (typeof id !== kind || !isId(id)) throw notAnId(id, item);
        (own as ItemId[])[item] = id;
      }
    };
    await inPieces(count, copy, PIECE_IDS);
    if (Array.isArray(own)) return new CatalogueIds(kind, await StringIds.encode(own as string[], PIECE_IDS));
    const column = await IntegerIds.from(own, PIECE_IDS);
    return new CatalogueIds(kind, column);
  }

  /**
   * Gets `ordinalOf` ready while the event loop runs; nothing is left to do where the table lies in the file.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` naming the first id that is used twice.
   */
  async index(): Promise<void> {
    this.#lookup ??= await IdLookup.build(this.column, (id, item) => {
      throw new SilverlodeError('INVALID_ARGUMENT', `items.ids[${item}] repeats the id ${String(id)}`, { item, id });
    });
  }

  get length(): number {
    return this.column.length;
  }

  at(ordinal: number): ItemId {
    return this.column.at(ordinal);
  }

  /** Ids of the ordinals [begin, end). */
  list(ordinals: Int32Array, begin: number, end: number): ItemId[] {
    const ids = new Array<ItemId>(end - begin);
    for (let i = begin; i < end; i++) ids[i - begin] = this.column.at(ordinals[i] as number);
    return ids;
  }

  /**
   * Ids of many ordinals at once, numeric ones as a typed array; `added` are those of the ordinals that follow the catalogue's.
   */
  gather(ordinals: Int32Array, added?: readonly ItemId[]): FlatIds {
    if (this.column instanceof IntegerIds && !added) return this.column.gather(ordinals);
    const ids = Array.from(ordinals, (ordinal) => added?.[ordinal - this.length] ?? this.column.at(ordinal));
    if (this.kind === 'string') return ids as string[];
    if (this.kind === 'bigint') return BigInt64Array.from(ids as bigint[]);
    const isNarrow = (this.column as IntegerIds).isInt32 && (ids as number[]).every((id) => (id | 0) === id);
    return isNarrow ? Int32Array.from(ids as number[]) : Float64Array.from(ids as number[]);
  }

  /** The ordinal of an id, undefined for one that the catalogue does not hold; `index` comes first. */
  ordinalOf(id: ItemId): number | undefined {
    return (this.#lookup as IdLookup).find(id);
  }

  /** Tensors that hold the ids in a model file, and the table where it is there. */
  get tensors(): Map<string, Tensor> {
    const own = new Map(this.column.tensors);
    if (this.#lookup) own.set(ID_LOOKUP, this.#lookup.table);
    return own;
  }

  /** Ids as they lie in a file. @throws SilverlodeError `CORRUPT_FILE`. */
  static restore(kind: string, tensors: ReadonlyMap<string, Tensor>, items: number): CatalogueIds {
    const [values, offsets, lookup] = [ID_VALUES, ID_OFFSETS, ID_LOOKUP].map((name) => tensors.get(name));
    if (values === undefined) throw corrupt('the model has no item ids');
    if (lookup && lookup.dtype !== 'int32') throw corrupt('the table of item ids is not int32');
    if (kind === 'string') {
      if (values.dtype !== 'uint8' || offsets?.dtype !== 'int64' || offsets.shape[0] !== items + 1)
        throw corrupt('item ids do not fit the catalogue');
      return new CatalogueIds(kind, new StringIds(values, offsets), lookup);
    }
    const isInteger = values.dtype === 'int64' || (values.dtype === 'int32' && kind === 'number');
    if (!isInteger || values.shape[0] !== items || (kind !== 'number' && kind !== 'bigint'))
      throw corrupt('item ids do not fit the catalogue');
    return new CatalogueIds(kind, new IntegerIds(kind, values), lookup);
  }
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for what cannot hold ids. */
export function requireIdList(name: string, ids: unknown): asserts ids is ItemIds {
  const isTyped = isTypedArrayOf(ids, Int32Array) || isTypedArrayOf(ids, BigInt64Array);
  if (Array.isArray(ids) || (isTyped && !isDetached(ids))) return;
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    `${name} must be string[], number[], bigint[], Int32Array or BigInt64Array`,
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

function corrupt(message: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', message, { field: ID_VALUES });
}
