// Tensors that grow: what is appended lies in the same memory, until that is full and a larger copy takes its place.
import { type ArrayOf, DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** A tensor [rows, columns], or [rows] without columns, whose unused part is zero. */
export class GrowingTable<D extends DType> {
  #tensor: Tensor<D>;

  constructor(
    private readonly dtype: D,
    rows: number,
    columns?: number,
  ) {
    this.#tensor = Tensor.allocate(dtype, columns === undefined ? [rows] : [rows, columns]);
  }

  /** Of the current memory; what is written next shows in it until the table grows. */
  get tensor(): Tensor<D> {
    return this.#tensor;
  }

  get view(): ArrayOf<D> {
    return this.#tensor.view();
  }

  get rows(): number {
    return this.#tensor.shape[0] as number;
  }

  get columns(): number {
    return this.#tensor.shape[1] ?? 1;
  }

  get bytes(): number {
    return this.#tensor.nbytes;
  }

  /** Makes room for at least so many rows, at once for twice as many as now. */
  reserve(rows: number): void {
    if (rows > this.rows) this.resize(Math.max(rows, 2 * this.rows));
  }

  /** Never smaller than it is. */
  resize(rows: number, columns = this.columns): void {
    if (rows === this.rows && columns === this.columns) return;
    const old = this.#tensor;
    const [oldRows, oldColumns] = [this.rows, this.columns];
    this.#tensor = Tensor.allocate(this.dtype, old.shape.length === 1 ? [rows] : [rows, columns]);
    const from = bytesOf(old);
    const to = bytesOf(this.#tensor);
    const { bytes } = DTYPES[this.dtype];
    if (columns === oldColumns) {
      to.set(from);
      return;
    }
    const width = oldColumns * bytes;
    for (let row = 0; row < oldRows; row++)
      to.set(from.subarray(row * width, (row + 1) * width), row * columns * bytes);
  }
}

function bytesOf(tensor: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.view();
  return new Uint8Array(buffer, byteOffset, byteLength);
}
