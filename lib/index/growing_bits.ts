// Exact slices and Bloom signatures of rows that are appended one by one; layout in native/ops/filter_index.h.
import type { Tensor } from '../tensor/tensor.js';
import { GrowingTable } from './growing_table.js';

const BLOCK_ROWS = 512;
const WORD_ROWS = 64;
/** Bytes of one position of a block. */
const POSITION_BYTES = BLOCK_ROWS / 8;
const BITS_PER_TERM = 12;
const LEAST_WIDTH = 64;
const MOST_WIDTH = 2 ** 16;

/**
 * A block's signature gets its width when its first row comes, from the terms of the rows before; the exact check makes up for
 * rows that turn out to have more.
 */
export class GrowingBits {
  readonly #slices: GrowingTable<'int64'>;
  readonly #bloom: GrowingTable<'int64'>;
  readonly #offsets: GrowingTable<'int64'>;
  #sliceBytes: Uint8Array;
  #bloomBytes: Uint8Array;
  #blocks = 0;
  #positions = 0;
  #terms = 0;

  constructor(
    rows: number,
    private readonly hashes: number,
  ) {
    this.#slices = new GrowingTable('int64', 16, rows / WORD_ROWS);
    this.#bloom = new GrowingTable('int64', 256, POSITION_BYTES / 8);
    this.#offsets = new GrowingTable('int64', rows / BLOCK_ROWS + 1);
    this.#sliceBytes = bytesOf(this.#slices);
    this.#bloomBytes = bytesOf(this.#bloom);
  }

  get bytes(): number {
    return this.#slices.bytes + this.#bloom.bytes + this.#offsets.bytes;
  }

  resize(rows: number): void {
    this.#slices.resize(this.#slices.rows, rows / WORD_ROWS);
    this.#sliceBytes = bytesOf(this.#slices);
    this.#offsets.resize(rows / BLOCK_ROWS + 1);
    this.#offsets.view.fill(BigInt(this.#positions), this.#blocks);
  }

  reserveSlices(count: number): void {
    this.#slices.reserve(count);
    this.#sliceBytes = bytesOf(this.#slices);
  }

  set(row: number, slice: number): void {
    const at = slice * this.#slices.columns * 8 + (row >> 3);
    this.#sliceBytes[at] = (this.#sliceBytes[at] as number) | (1 << (row & 7));
  }

  /** Adds a term to the signature of a row. */
  add(row: number, hash: bigint): void {
    const block = Math.floor(row / BLOCK_ROWS);
    while (this.#blocks <= block) this.#openBlock(row);
    this.#terms++;
    const begin = Number(this.#offsets.view[block]);
    const width = Number(this.#offsets.view[block + 1]) - begin;
    const h1 = Number(hash & 0xffff_ffffn);
    const step = Number((hash >> 32n) & 0xffff_ffffn) | 1;
    for (let j = 0; j < this.hashes; j++) {
      const mixed = (h1 + Math.imul(j, step)) >>> 0;
      const position = Math.floor((mixed * width) / 2 ** 32);
      const at = (begin + position) * POSITION_BYTES + ((row % BLOCK_ROWS) >> 3);
      this.#bloomBytes[at] = (this.#bloomBytes[at] as number) | (1 << (row & 7));
    }
  }

  /** Takes the row out of all slices; what it leaves in the signature only costs exact checks. */
  clear(row: number): void {
    const step = this.#slices.columns * 8;
    for (let at = row >> 3; at < this.#sliceBytes.length; at += step) {
      this.#sliceBytes[at] = (this.#sliceBytes[at] as number) & ~(1 << (row & 7));
    }
  }

  tensors(): { slices: Tensor; bloom: Tensor; bloomOffsets: Tensor } {
    return {
      slices: this.#slices.tensor as Tensor,
      bloom: this.#bloom.tensor as Tensor,
      bloomOffsets: this.#offsets.tensor as Tensor,
    };
  }

  /** Blocks follow one another; one that is passed over without a term has no width. */
  #openBlock(row: number): void {
    const isPassed = this.#blocks < Math.floor(row / BLOCK_ROWS);
    const perRow = Math.max(1, Math.ceil(this.#terms / Math.max(1, row)));
    const width = isPassed ? 0 : Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, BITS_PER_TERM * perRow));
    this.#blocks++;
    this.#positions += width;
    this.#bloom.reserve(this.#positions);
    this.#bloomBytes = bytesOf(this.#bloom);
    this.#offsets.view.fill(BigInt(this.#positions), this.#blocks);
  }
}

function bytesOf({ view }: GrowingTable<'int64'>): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
