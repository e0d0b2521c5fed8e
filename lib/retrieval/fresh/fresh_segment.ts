// Items newer than the main segment, in its layout: rows are only appended, and an item that changes gets a new one.
import type { FilterIndex } from '../../index/filter_index.js';
import { Growable } from '../../index/growable.js';
import { type FieldKind, type FilterMark, GrowingFilter, type ItemValues } from '../../index/growing_filter.js';
import { breathe } from '../../index/progress.js';
import { Tensor, tensor } from '../../tensor/tensor.js';
import type { ItemId } from '../types.js';
import type { FreshName, FreshShape } from './inputs.js';

/** One item as the segment keeps it. */
export interface FreshItem {
  readonly id: ItemId;
  /** int8 [paddedDims], and its scale and bias. */
  readonly row: Int8Array;
  readonly scale: number;
  readonly bias: number;
  /** float32 [features]. */
  readonly features: Float32Array;
  /** [dims], half floats as bits; empty when the reranker reads the int8 rows. */
  readonly embedding: Float32Array | Uint16Array;
  readonly attributes: ItemValues;
}

export interface FreshSizes extends FreshShape {
  /** Items and rows of the main segment: fresh ordinals and rows follow them. */
  items: number;
  rows: number;
}

const BLOCK_ROWS = 512;
/** Rows copied between two turns of the event loop. */
const PACE_ROWS = 1024;

/** A state to go back to. */
interface Mark {
  readonly rows: number;
  readonly filter: FilterMark;
}

/**
 * The growing part of one generation. A row keeps its item once a version shows it; which rows are live is for the versions to
 * say.
 */
export class FreshSegment {
  /** Id of every row. */
  readonly ids: ItemId[] = [];
  readonly filter: GrowingFilter;
  readonly #attributes: ItemValues[] = [];
  readonly #rows = new Growable(Int8Array);
  readonly #scales = new Growable(Float32Array);
  readonly #biases = new Growable(Float32Array);
  readonly #features = new Growable(Float32Array);
  readonly #embeddings: Growable<Float32Array> | Growable<Uint16Array>;

  constructor(
    private readonly sizes: FreshSizes,
    eligible: FilterIndex,
    newFields: readonly FieldKind[] = [],
  ) {
    this.filter = new GrowingFilter(eligible);
    for (const field of newFields) this.filter.addField(field);
    this.#embeddings =
      sizes.embeddings?.dtype === 'float16' ? new Growable(Uint16Array) : new Growable<Float32Array>(Float32Array);
  }

  get rows(): number {
    return this.ids.length;
  }

  /** Bytes of the columns, without attribute values as JavaScript holds them. */
  get bytes(): number {
    const columns = [this.#rows, this.#scales, this.#biases, this.#features, this.#embeddings];
    return columns.reduce((sum, { bytes }) => sum + bytes, this.filter.bytes);
  }

  mark(): Mark {
    return { rows: this.rows, filter: this.filter.mark() };
  }

  rollBack({ rows, filter }: Mark): void {
    const { paddedDims, features, embeddings } = this.sizes;
    this.ids.length = rows;
    this.#attributes.length = rows;
    this.#rows.cut(rows * paddedDims);
    this.#scales.cut(rows);
    this.#biases.cut(rows);
    this.#features.cut(rows * features);
    this.#embeddings.cut(rows * (embeddings?.dims ?? 0));
    this.filter.rollBack(filter);
  }

  /** Returns the row. */
  append(item: FreshItem): number {
    this.ids.push(item.id);
    this.#attributes.push(item.attributes);
    this.#rows.append(item.row);
    this.#scales.push(item.scale);
    this.#biases.push(item.bias);
    this.#features.append(item.features);
    this.#embeddings.append(item.embedding);
    this.filter.append(item.attributes);
    return this.rows - 1;
  }

  /** Replaces the features of a row; versions made before keep theirs. Returns the old ones. */
  replaceFeatures(row: number, values: Float32Array): Float32Array {
    const own = this.#features.view.subarray(row * this.sizes.features, (row + 1) * this.sizes.features);
    const old = own.slice();
    own.set(values);
    return old;
  }

  attributesOf(row: number): ItemValues {
    return this.#attributes[row] as ItemValues;
  }

  /** What a row holds; copies but for the attributes. */
  item(row: number): FreshItem {
    const { paddedDims, features, embeddings } = this.sizes;
    const slice = <A extends { slice(begin: number, end: number): A }>(view: A, width: number) =>
      view.slice(row * width, (row + 1) * width);
    return {
      id: this.ids[row] as ItemId,
      row: slice(this.#rows.view, paddedDims),
      scale: this.#scales.view[row] as number,
      bias: this.#biases.view[row] as number,
      features: slice(this.#features.view, features),
      embedding: slice(this.#embeddings.view as Float32Array, embeddings?.dims ?? 0),
      attributes: this.#attributes[row] as ItemValues,
    };
  }

  /** The live rows alone, in their order, as a generation of their own. */
  async repacked(eligible: FilterIndex, live: readonly number[]): Promise<FreshSegment> {
    const known = eligible.manifest().fields.length;
    const packed = new FreshSegment(this.sizes, eligible, this.filter.fields.slice(known));
    for (const [i, row] of live.entries()) {
      if (i % PACE_ROWS === PACE_ROWS - 1) await breathe();
      packed.append(this.item(row));
    }
    return packed;
  }

  /** Copies of all columns as program inputs, but for the live bits. Native ops run on the device in scope. */
  async tensors(): Promise<Map<FreshName, Tensor>> {
    const { paddedDims, features, embeddings, biased, items, rows: mainRows } = this.sizes;
    const used = this.rows;
    const rows = Math.max(1, Math.ceil(used / BLOCK_ROWS)) * BLOCK_ROWS;
    const padded = <A extends ArrayBufferView & ArrayLike<number>>(view: A, width: number, dtype: Tensor['dtype']) => {
      const made = Tensor.allocate(dtype, width === 1 ? [rows] : [rows, width]);
      made.native.write(0, new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength));
      return made as Tensor;
    };
    const from = (first: number) =>
      tensor(Int32Array.from({ length: rows }, (_, row) => (row < used ? first + row : -1)));
    const entries: [FreshName, Tensor][] = [
      ['rows', padded(this.#rows.view, paddedDims, 'int8').reshape([rows, paddedDims])],
      ['rowScales', padded(this.#scales.view, 1, 'float32')],
      ['ordinals', from(items) as Tensor],
      ['rowOf', from(mainRows) as Tensor],
      ['clusterBegin', tensor(Int32Array.of(0, rows)) as Tensor],
      ['centroids', Tensor.allocate('int8', [1, paddedDims]) as Tensor],
      ['centroidScales', Tensor.allocate('float32', [1]) as Tensor],
    ];
    if (biased) entries.push(['rowBias', padded(this.#biases.view, 1, 'float32')]);
    if (features > 0)
      entries.push(['features', padded(this.#features.view, features, 'float32').reshape([rows, features])]);
    if (embeddings) {
      const { dtype, dims } = embeddings;
      entries.push(['embeddings', padded(this.#embeddings.view as Float32Array, dims, dtype).reshape([rows, dims])]);
    }
    const eligible = Object.entries(await this.filter.tensors(rows)) as [FreshName, Tensor][];
    return new Map([...entries, ...eligible]);
  }
}
