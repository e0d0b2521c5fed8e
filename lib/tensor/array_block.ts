// Typed arrays cut from one buffer: native code pays for every buffer it looks into, whatever its size.
import { type ArrayOf, DTYPES, type DType } from './dtype.js';

/** Bytes of a buffer when one is needed; arrays that do not fit get a larger one. */
const BUFFER_BYTES = 1024;
const ALIGNMENT = 8;

/** Allocates typed arrays that are used and dropped together, such as the inputs of a run. */
export class ArrayBlock {
  #buffer = new ArrayBuffer(BUFFER_BYTES);
  #used = 0;

  /** Zeros. */
  array<D extends DType>(dtype: D, length: number): ArrayOf<D> {
    const { bytes, array } = DTYPES[dtype];
    const size = Math.ceil((length * bytes) / ALIGNMENT) * ALIGNMENT;
    if (this.#used + size > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(Math.max(size, BUFFER_BYTES));
      this.#used = 0;
    }
    const made = new array(this.#buffer, this.#used, length) as ArrayOf<D>;
    this.#used += size;
    return made;
  }

  /** One number per item. */
  from<T, D extends Exclude<DType, 'int64'>>(dtype: D, items: readonly T[], numberOf: (item: T) => number): ArrayOf<D> {
    const made = this.array(dtype, items.length);
    for (let i = 0; i < items.length; i++) made[i] = numberOf(items[i] as T);
    return made;
  }

  /** The lists of all items back to back. */
  join<T, D extends DType>(dtype: D, items: readonly T[], listOf: (item: T) => ArrayLike<number>): ArrayOf<D> {
    const made = this.array(dtype, total(items, listOf)) as Float32Array;
    let next = 0;
    for (const item of items) {
      const list = listOf(item);
      made.set(list, next);
      next += list.length;
    }
    return made as ArrayOf<D>;
  }

  /** Where each item's list begins in `join`. */
  offsets<T>(items: readonly T[], listOf: (item: T) => ArrayLike<number>): ArrayOf<'int32'> {
    let next = 0;
    return this.from('int32', items, (item) => {
      const begin = next;
      next += listOf(item).length;
      return begin;
    });
  }
}

function total<T>(items: readonly T[], listOf: (item: T) => ArrayLike<number>): number {
  return items.reduce((sum, item) => sum + listOf(item).length, 0);
}
