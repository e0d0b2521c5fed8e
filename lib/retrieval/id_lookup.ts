// Ordinals by id: a hash table that lies in the model file, so that loading builds nothing; integers that ascend need none.
import { inPieces } from '../index/progress.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { type IdColumn, IntegerIds } from './id_column.js';
import type { ItemId } from './types.js';

/** Name of the table in a model file: int32 [slots], ordinals or -1. It has no slots where integers ascend. */
export const ID_LOOKUP = 'ids.lookup';

/** Slots per id, a third of them empty: 6 bytes an id; a table of n ids is asked about 2 of them for an id that it has, 5 for others. */
const SLOTS_PER_ID = 1.5;
/** Entries put in place between two turns of the event loop, each of which touches memory of its own. */
const PIECE_ENTRIES = 2048;
const EMPTY = -1;

/** Hears of an id that is used again, and of its later ordinal. */
export type OnRepeated = (id: ItemId, ordinal: number) => void;

/** Immutable; linear probing, the slot of a hash in proportion to it. */
export class IdLookup {
  readonly #slots: Int32Array;

  constructor(
    private readonly ids: IdColumn,
    readonly table: Tensor,
  ) {
    this.#slots = table.view() as Int32Array;
  }

  /** The table of ids while the event loop runs; of ids that are used again it has the first. */
  static async build(ids: IdColumn, onRepeated: OnRepeated): Promise<IdLookup> {
    const { length } = ids;
    if (ids instanceof IntegerIds && (await ascends(ids)))
      return new IdLookup(ids, tensor(new Int32Array(0)) as Tensor);
    const table = Tensor.allocate('int32', [Math.ceil(length * SLOTS_PER_ID)]);
    const slots = table.view();
    // While it is built, hashes stand beside the ordinals, so that ids are read where these are equal only.
    const hashes = new Uint32Array(slots.length);
    await inPieces(slots.length, (begin, end) => slots.fill(EMPTY, begin, end));
    const add = (ordinal: number) => {
      const hash = ids.hashAt(ordinal);
      let slot = slotOf(hash, slots.length);
      for (; slots[slot] !== EMPTY; slot = slot + 1 === slots.length ? 0 : slot + 1) {
        if (hashes[slot] !== hash) continue;
        const id = ids.at(ordinal);
        ids.hashOf(id);
        if (ids.compareAt(slots[slot] as number) === 0) return onRepeated(id, ordinal);
      }
      slots[slot] = ordinal;
      hashes[slot] = hash;
    };
    const addAll = (begin: number, end: number) => {
      for (let ordinal = begin; ordinal < end; ordinal++) add(ordinal);
    };
    await inPieces(length, addAll, PIECE_ENTRIES);
    return new IdLookup(ids, table as Tensor);
  }

  /** The ordinal of an id, undefined for one that is not there. */
  find(id: ItemId): number | undefined {
    const hash = this.ids.hashOf(id);
    if (hash === undefined) return undefined;
    const slots = this.#slots;
    if (slots.length === 0) return this.#search();
    let slot = slotOf(hash, slots.length);
    for (let probes = 0; probes < slots.length; probes++) {
      const ordinal = slots[slot] as number;
      if (ordinal < 0 || ordinal >= this.ids.length) return undefined;
      if (this.ids.compareAt(ordinal) === 0) return ordinal;
      slot = slot + 1 === slots.length ? 0 : slot + 1;
    }
    return undefined;
  }

  #search(): number | undefined {
    let [low, high] = [0, this.ids.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.ids.compareAt(middle);
      if (order === 0) return middle;
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return undefined;
  }
}

function slotOf(hash: number, slots: number): number {
  return Math.floor((hash / 2 ** 32) * slots);
}

/** Whether every id comes behind the one before it. */
async function ascends(ids: IdColumn): Promise<boolean> {
  let rises = true;
  const look = (begin: number, end: number) => {
    for (let ordinal = Math.max(1, begin); rises && ordinal < end; ordinal++) {
      ids.hashOf(ids.at(ordinal));
      rises = ids.compareAt(ordinal - 1) > 0;
    }
  };
  await inPieces(ids.length, look, PIECE_ENTRIES);
  return rises;
}
