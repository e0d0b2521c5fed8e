import { expect } from 'vitest';
import type { FieldColumn } from '../../lib/index/attributes.js';
import { decodeFields, valuesOf } from '../../lib/index/filter_decode.js';
import { FilterIndex } from '../../lib/index/filter_index.js';
import { Pace } from '../../lib/index/pace.js';
import { randomAttributes } from '../filter/random_filter.js';
import { property } from '../support/ops.js';
import { columnsOf, layOut } from './catalogue.js';

property('attributes come back from the index as they were', 8, async (random) => {
  const items = 1 + random.integer(700);
  const attributes = randomAttributes(random, items);
  const { ordinals } = layOut(random, items);
  const sliceThreshold = random.pick([0, 0.01, 0.2, 2]);
  const index = await FilterIndex.build(columnsOf(attributes), { ordinals, items, sliceThreshold });
  const rowOf = new Int32Array(items);
  ordinals.forEach((item, row) => {
    if (item >= 0) rowOf[item] = row;
  });
  for (const count of [1, 5, items]) {
    const wanted = Array.from({ length: items }, (_, item) => item).filter(() => random.chance(count / items));
    const rows = Int32Array.from(wanted, (item) => rowOf[item] as number);
    const fields = await decodeFields(index, rows, new Pace('decode', 1, {}));
    const shapes = ({ name, type, multi }: { name: string; type: string; multi: boolean }) => ({ name, type, multi });
    expect(fields.map(shapes)).toEqual(index.manifest().fields.map(shapes));
    attributes.forEach(({ name, values }) => {
      const field = fields.find((each) => each.name === name) as FieldColumn;
      wanted.forEach((item, position) => {
        const plain = (list: readonly unknown[]) => [...new Set(list.map((value) => String(value)))].sort();
        expect(plain(valuesOf(field, position))).toEqual(plain(values[item] as unknown[]));
      });
    });
  }
});
