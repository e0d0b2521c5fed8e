// Items of the main segment in the form of the fresh one.
import { decodeFields, valuesOf } from '../../index/filter_decode.js';
import { Pace } from '../../index/pace.js';
import { inPieces } from '../../index/progress.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { MainSegment } from '../main_segment.js';
import type { FreshItem } from './fresh_segment.js';

/** Items read between two turns of the event loop. */
const PIECE_ITEMS = 1024;

/** Copies of items by ordinal: the stored row, not what it was made from. */
export async function readItems(main: MainSegment, ordinals: readonly number[]): Promise<FreshItem[]> {
  if (ordinals.length === 0) return [];
  const rows = Int32Array.from(ordinals, (ordinal) => main.rowOf[ordinal] as number);
  const fields = await decodeFields(main.eligible, rows, new Pace('attributes', 0, {}));
  const items: FreshItem[] = [];
  const read = (ordinal: number, i: number): FreshItem => {
    const row = rows[i] as number;
    return {
      id: main.ids.at(ordinal),
      row: slice(main.tensor('index.rows'), row) as unknown as Int8Array,
      scale: slice(main.tensor('index.rowScales'), row)[0] as number,
      bias: slice(main.tensors.get('index.rowBias'), row)[0] ?? 0,
      features: readFeatures(main, ordinal),
      embedding: slice(main.tensors.get('embeddings'), ordinal),
      attributes: fields.map((field) => valuesOf(field, i)),
      stored: main.stored?.at(ordinal) ?? '',
    };
  };
  const readAll = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) items.push(read(ordinals[i] as number, i));
  };
  await inPieces(ordinals.length, readAll, PIECE_ITEMS);
  return items;
}

/** A copy of the features of one item. */
export function readFeatures(main: MainSegment, ordinal: number): Float32Array {
  return slice(main.tensors.get('features'), ordinal);
}

function slice(table: Tensor | undefined, row: number): Float32Array {
  if (table === undefined) return new Float32Array(0);
  const width = table.shape[1] ?? 1;
  return (table.view() as Float32Array).slice(row * width, (row + 1) * width);
}
