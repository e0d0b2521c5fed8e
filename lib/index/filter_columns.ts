// Numeric columns by row: 32 bits wide where all values fit, else 64.
import { float64Key } from '../filter/numbers.js';
import { Tensor } from '../tensor/tensor.js';
import type { FieldColumn, NumberField } from './attributes.js';
import type { Pace } from './pace.js';
import { inPieces } from './progress.js';

/** Where the numbers of a field lie. */
export interface ColumnPlace {
  readonly width: 32 | 64;
  readonly index: number;
}

/** The columns of all single-valued numbers, and the place of each field's. */
export interface NumberColumns {
  readonly columns32: Tensor<'int32'>;
  readonly columns64: Tensor<'int64'>;
  readonly places: readonly (ColumnPlace | undefined)[];
}

/** Lays numbers out by row; rows without a value hold 0. */
export async function buildColumns(
  fields: readonly FieldColumn[],
  ordinals: Int32Array,
  pace: Pace,
): Promise<NumberColumns> {
  const used = { 32: 0, 64: 0 };
  const places: (ColumnPlace | undefined)[] = [];
  for (const field of fields) {
    if (field.kind !== 'numbers') places.push(undefined);
    else {
      const width = field.type === 'int64' && (await fitsInt32(field.numbers)) ? 32 : 64;
      places.push({ width, index: used[width]++ });
    }
  }
  const rows = ordinals.length;
  const columns32 = Tensor.allocate('int32', [used[32], rows]);
  const columns64 = Tensor.allocate('int64', [used[64], rows]);
  for (const [f, place] of places.entries()) {
    if (place === undefined) continue;
    const { numbers, present, type } = fields[f] as NumberField;
    const from = place.index * rows;
    const narrow = place.width === 32 ? columns32.view().subarray(from, from + rows) : undefined;
    const wide = narrow ?? columns64.view().subarray(from, from + rows);
    const encode = narrow ? Number : type === 'float64' ? (float64Key as (value: number | bigint) => bigint) : BigInt;
    await pace.over(rows, (begin, end) => {
      for (let row = begin; row < end; row++) {
        const item = ordinals[row] as number;
        if (item >= 0 && present[item] === 1) wide[row] = encode(numbers[item] as number | bigint) as number & bigint;
      }
    });
  }
  return { columns32, columns64, places };
}

async function fitsInt32(numbers: Float64Array | BigInt64Array): Promise<boolean> {
  let fits = true;
  await inPieces(numbers.length, (begin, end) => {
    for (let i = begin; i < end && fits; i++) {
      const value = numbers[i] as number | bigint;
      fits = value >= -(2 ** 31) && value < 2 ** 31;
    }
  });
  return fits;
}
