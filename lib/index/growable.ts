// Typed arrays that grow at their end and can be cut back, for columns that updates append to.

type Numbers = Int8Array | Uint8Array | Int32Array | Float32Array | Float64Array | Uint16Array;
type Column = Numbers | BigInt64Array;

const LEAST_CAPACITY = 256;

/** A typed array with room to grow. */
export class Growable<A extends Column> {
  #array: A;
  #length = 0;

  constructor(private readonly make: new (length: number) => A) {
    this.#array = new make(0);
  }

  get length(): number {
    return this.#length;
  }

  /** The elements, valid until the next append. */
  get view(): A {
    return this.#array.subarray(0, this.#length) as A;
  }

  get bytes(): number {
    return this.#array.byteLength;
  }

  push(value: A[number]): void {
    this.#reserve(1);
    this.#array[this.#length++] = value;
  }

  append(values: ArrayLike<A[number]>): void {
    this.#reserve(values.length);
    (this.#array as Float64Array).set(values as ArrayLike<number>, this.#length);
    this.#length += values.length;
  }

  /** Appends zeros. */
  extend(count: number): void {
    this.#reserve(count);
    const { buffer, BYTES_PER_ELEMENT } = this.#array;
    new Uint8Array(buffer, this.#length * BYTES_PER_ELEMENT, count * BYTES_PER_ELEMENT).fill(0);
    this.#length += count;
  }

  /** Forgets what lies beyond `length`. */
  cut(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#array.length) return;
    const larger = new this.make(Math.max(needed, 2 * this.#array.length, LEAST_CAPACITY));
    (larger as Float64Array).set(this.view as Float64Array);
    this.#array = larger;
  }
}
