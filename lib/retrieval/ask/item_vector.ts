// The vector of an item, from what the model holds.
import { type Rotation, unrotatedRow } from '../../index/rotation.js';
import { float16ToFloats } from '../../tensor/half.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { ItemId } from '../types.js';
import type { ItemPlace, Version } from '../version.js';

/** Tables that one segment has. */
interface Tables {
  rows: Tensor;
  rowScales: Tensor;
  embeddings: Tensor | undefined;
}

/**
 * float32 [dims], of length 1 under `cosine`: as published where the model keeps float rows, else what its int8 row stands for.
 *
 * @returns undefined for an id that no item has.
 */
export function vectorOf(id: ItemId, version: Version): Float32Array | undefined {
  const place = version.find(id);
  return place && placeVector(place, version);
}

/** The same of an item that is known to be there. */
export function placeVector(place: ItemPlace, { main, fresh }: Version): Float32Array {
  const tables: Tables =
    place.segment === 'fresh'
      ? tablesOf((name) => fresh?.tensors.get(name))
      : tablesOf((name) => main.tensors.get(name === 'embeddings' ? name : `index.${name}`));
  const { dims, metric } = main.manifest;
  const vector = tables.embeddings
    ? floatRow(tables.embeddings, place.ordinal)
    : int8Row(tables, place.row, dims, main.rotation);
  return metric === 'cosine' ? toUnit(vector) : vector;
}

function tablesOf(find: (name: 'rows' | 'rowScales' | 'embeddings') => Tensor | undefined): Tables {
  return { rows: find('rows') as Tensor, rowScales: find('rowScales') as Tensor, embeddings: find('embeddings') };
}

function floatRow(table: Tensor, row: number): Float32Array {
  const dims = table.shape[1] as number;
  const values = table.view().subarray(row * dims, (row + 1) * dims);
  return table.dtype === 'float16' ? float16ToFloats(values as Uint16Array) : (values as Float32Array).slice();
}

function int8Row({ rows, rowScales }: Tables, row: number, dims: number, rotation: Rotation | undefined): Float32Array {
  const width = rows.shape[1] as number;
  const scale = (rowScales.view() as Float32Array)[row] as number;
  const codes = (rows.view() as Int8Array).subarray(row * width, (row + 1) * width);
  const values = new Float32Array(width);
  for (let d = 0; d < width; d++) values[d] = (codes[d] as number) * scale;
  return rotation ? unrotatedRow(values, rotation) : values.slice(0, dims);
}

function toUnit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) || 1;
  return vector.map((value) => value / length);
}
