// Small catalogues for tests of the filter index.
import type { Random } from '../../lib/data/random.js';
import type { AttributeColumn, AttributeColumns } from '../../lib/index/attributes.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import type { Attribute } from '../reference/filter.js';

/** A catalogue whose rows are shuffled items with padding between them. */
export function layOut(random: Random, items: number): { ordinals: Int32Array; live: Tensor } {
  const rows = 512 * Math.ceil((items * 1.3 + 1) / 512);
  const ordinals = new Int32Array(rows).fill(-1);
  for (let item = 0; item < items; item++) ordinals[item] = item;
  for (let row = rows - 1; row > 0; row--) {
    const other = random.integer(row + 1);
    [ordinals[row], ordinals[other]] = [ordinals[other] as number, ordinals[row] as number];
  }
  const live = new BigInt64Array(rows / 64);
  ordinals.forEach((item, row) => {
    if (item >= 0) (live[row >> 6] as bigint) |= BigInt.asIntN(64, 1n << BigInt(row & 63));
  });
  return { ordinals, live: tensor(live) };
}

/** The items of a mask row, ascending. */
export function itemsOf(mask: Tensor, plan: number, ordinals: Int32Array): number[] {
  const words = mask.shape[1] as number;
  const bytes = new Uint8Array((mask.view() as BigInt64Array).slice(plan * words, (plan + 1) * words).buffer);
  const found: number[] = [];
  for (const [row, item] of ordinals.entries()) {
    if (((bytes[row >> 3] as number) >> (row & 7)) & 1) found.push(item);
  }
  return found.sort((a, b) => a - b);
}

/** Attributes as a user gives them. */
export function columnsOf(attributes: readonly Attribute[]): AttributeColumns {
  const columns = attributes.map(({ name, multi, values }): [string, AttributeColumn] => [
    name,
    values.map((own) => (multi ? own : own[0])),
  ]);
  return Object.fromEntries(columns);
}
