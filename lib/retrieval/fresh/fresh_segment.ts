// Items newer than the main segment, in its layout: rows are only appended, and an item that changes gets a new one.
import type { FilterIndex } from '../../index/filter_index.js';
import { type FieldKind, type FilterMark, GrowingFilter, type ItemValues } from '../../index/growing_filter.js';
import { GrowingTable } from '../../index/growing_table.js';
import { breathe } from '../../index/progress.js';
import type { DType } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import type { StoredText } from '../stored.js';
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
  readonly stored: StoredText;
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
 * The growing part of one generation. A row keeps its item once a version shows it, but for its features, which are written
 * between runs. Versions share the tensors: what is appended later lies in rows that they show as dead.
 */
export class FreshSegment {
  /** Id of every row. */
  readonly ids: ItemId[] = [];
  readonly filter: GrowingFilter;
  readonly #attributes: ItemValues[] = [];
  readonly #stored: StoredText[] = [];
  #stores = false;
  readonly #tables = new Map<FreshName, GrowingTable<DType>>();
  #capacity = BLOCK_ROWS;

  constructor(
    private readonly sizes: FreshSizes,
    eligible: FilterIndex,
    newFields: readonly FieldKind[] = [],
  ) {
    const { paddedDims, biased, features, embeddings } = sizes;
    this.filter = new GrowingFilter(eligible, this.#capacity);
    for (const field of newFields) this.filter.addField(field);
    this.#addTable('rows', 'int8', paddedDims);
    this.#addTable('rowScales', 'float32');
    this.#addTable('ordinals', 'int32');
    this.#addTable('rowOf', 'int32');
    if (biased) this.#addTable('rowBias', 'float32');
    if (features > 0) this.#addTable('features', 'float32', features);
    if (embeddings) this.#addTable('embeddings', embeddings.dtype, embeddings.dims);
  }

  get rows(): number {
    return this.ids.length;
  }

  /** Bytes of the tensors, without attribute values as JavaScript holds them. */
  get bytes(): number {
    return [...this.#tables.values()].reduce((sum, { bytes }) => sum + bytes, this.filter.bytes);
  }

  mark(): Mark {
    return { rows: this.rows, filter: this.filter.mark() };
  }

  rollBack({ rows, filter }: Mark): void {
    this.ids.length = rows;
    this.#attributes.length = rows;
    this.#stored.length = rows;
    this.filter.rollBack(filter);
  }

  /** Returns the row. */
  append(item: FreshItem): number {
    const row = this.rows;
    if (row === this.#capacity) this.#grow();
    this.ids.push(item.id);
    this.#attributes.push(item.attributes);
    this.#stored.push(item.stored);
    this.#stores ||= item.stored !== '';
    this.#write('rows', row, item.row);
    this.#write('rowScales', row, [item.scale]);
    this.#write('rowBias', row, [item.bias]);
    this.#write('ordinals', row, [this.sizes.items + row]);
    this.#write('rowOf', row, [this.sizes.rows + row]);
    this.#write('features', row, item.features);
    this.#write('embeddings', row, item.embedding);
    this.filter.append(item.attributes);
    return row;
  }

  /** Replaces the features of a row that no version shows yet. */
  replaceFeatures(row: number, values: Float32Array): void {
    this.#write('features', row, values);
  }

  attributesOf(row: number): ItemValues {
    return this.#attributes[row] as ItemValues;
  }

  /** Whether anything was ever stored. */
  get stores(): boolean {
    return this.#stores;
  }

  storedOf(row: number): StoredText {
    return this.#stored[row] as StoredText;
  }

  /** A copy of what a row holds; attributes are shared. */
  item(row: number): FreshItem {
    const read = (name: FreshName) => {
      const table = this.#tables.get(name);
      const width = table?.columns ?? 0;
      return (table?.view as Float32Array | undefined)?.slice(row * width, (row + 1) * width) ?? new Float32Array(0);
    };
    return {
      id: this.ids[row] as ItemId,
      row: read('rows') as unknown as Int8Array,
      scale: read('rowScales')[0] as number,
      bias: read('rowBias')[0] ?? 0,
      features: read('features'),
      embedding: read('embeddings'),
      attributes: this.attributesOf(row),
      stored: this.storedOf(row),
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

  /** Program inputs, but for the live bits and the bounds of the cluster. */
  tensors(): Map<FreshName, Tensor> {
    const tables = [...this.#tables].map(([name, { tensor }]): [FreshName, Tensor] => [name, tensor as Tensor]);
    const eligible = Object.entries(this.filter.tensors()) as [FreshName, Tensor][];
    return new Map<FreshName, Tensor>([
      ...tables,
      ['centroids', Tensor.allocate('int8', [1, this.sizes.paddedDims]) as Tensor],
      ['centroidScales', Tensor.allocate('float32', [1]) as Tensor],
      ...eligible,
    ]);
  }

  #addTable(name: FreshName, dtype: DType, columns?: number): void {
    this.#tables.set(name, new GrowingTable(dtype, this.#capacity, columns));
  }

  #grow(): void {
    this.#capacity *= 2;
    for (const table of this.#tables.values()) table.resize(this.#capacity);
  }

  #write(name: FreshName, row: number, values: ArrayLike<number>): void {
    const table = this.#tables.get(name);
    if (table) (table.view as Float32Array).set(values, row * table.columns);
  }
}
