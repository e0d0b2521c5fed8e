import { type Tensor, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { compileFilter } from '../../lib/filter/plan.js';
import { FilterIndex } from '../../lib/index/filter_index.js';
import { packPlans } from '../../lib/index/filter_plans.js';
import { GrowingFilter } from '../../lib/index/growing_filter.js';
import { filterCheck } from '../../lib/ops/filter_check.js';
import { filterEval } from '../../lib/ops/filter_eval.js';
import { randomAttributes, randomFilter } from '../filter/random_filter.js';
import { type Attribute, matches } from '../reference/filter.js';
import { expectCode, property } from '../support/ops.js';
import { columnsOf, itemsOf, layOut } from './catalogue.js';

property('appended items satisfy what their attributes say, also after growing and taking back', 6, async (random) => {
  const first = randomAttributes(random, 300);
  const { ordinals } = layOut(random, 300);
  // Types are those of the main index; the catalogue is large enough to have values of every kind.
  const main = await FilterIndex.build(columnsOf(first), {
    ordinals,
    items: 300,
    sliceThreshold: random.pick([0.01, 2]),
  });
  const growing = new GrowingFilter(main, 512);
  const order = main.manifest().fields.map(({ name }) => first.findIndex((attribute) => attribute.name === name));
  const items = 1 + random.integer(3000);
  const added = randomAttributes(random, items + 200);
  const append = (item: number) => growing.append(order.map((f) => (added[f] as Attribute).values[item] ?? []));
  const live = new Set<number>();
  for (let item = 0; item < items; item++) {
    if (random.chance(0.02)) {
      const mark = growing.mark();
      for (let wrong = 0; wrong < random.integer(200); wrong++) append(items + wrong);
      growing.rollBack(mark);
    }
    append(item);
    live.add(item);
  }
  const tensors = growing.tensors();
  const words = tensors.slices.shape[1] as number;
  const bits = new Uint8Array(words * 8);
  for (const row of live) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  const rows = Int32Array.from({ length: words * 64 }, (_, row) => (row < items ? row : -1));
  for (let i = 0; i < 20; i++) {
    const filter = randomFilter(random, first, random.integer(4));
    const plan = compileFilter(filter, growing.schema());
    const { offsets, steps } = packPlans([plan]);
    const plans = { offsets: tensor(offsets), steps: tensor(steps, { shape: [steps.length / 4, 4] }) };
    const bounds = await filterEval(plans, tensor(new BigInt64Array(bits.buffer)) as Tensor, tensors, {
      hashes: main.hashes,
    });
    const mask = (await filterCheck(bounds, plans, tensors, { hashes: main.hashes })) as Tensor;
    const expected = [...live].filter((item) => matches(filter, added, item));
    expect(itemsOf(mask, 0, rows)).toEqual(expected);
  }
});

test('beyond what the offsets of exact terms can tell nothing is appended', async () => {
  const options = { ordinals: new Int32Array(512).fill(-1), items: 1, sliceThreshold: 2 };
  const growing = new GrowingFilter(await FilterIndex.build({ tags: [['x']] }, options), 512);
  growing.append([['x', 'y']]);
  const [before, tensors] = [growing.mark(), growing.tensors()];
  const most = 2 ** 31 - 3;
  growing.requireRoom([[new Array(most)]]);
  await expectCode('LIMIT_EXCEEDED', () => growing.requireRoom([[new Array(most)], [['z']]]));
  await expectCode('LIMIT_EXCEEDED', () => growing.append([new Array(most + 1)]));
  expect([growing.mark(), growing.tensors()]).toEqual([before, tensors]);
  expect(Array.from((tensors.termOffsets as Tensor<'int32'>).view().subarray(0, 3))).toEqual([0, 2, 0]);
});
