import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/top_k.js';
import { topK } from '../reference/top_k.js';
import { checkCases, expectBits, expectCode, property } from '../support/ops.js';

checkCases(cases, run, topK);

test('leading dimensions are kept', async () => {
  const { scores, ids, positions } = await ops.topK(tensor(new Float32Array(24), { shape: [2, 3, 4] }), { k: 5 });
  for (const output of [scores, ids, positions]) expect(output.shape).toEqual([2, 3, 5]);
  const best = await ops.topK(tensor([0.1, 0.9, 0.5]), { k: 2 });
  expect([...best.ids.view()]).toEqual([1, 2]);
});

property('any row is as if sorted', 60, async (random) => {
  const n = 1 + random.integer(3000);
  const k = 1 + random.integer(random.chance(0.5) ? n + 3 : 20);
  const distinct = 1 + random.integer(n);
  const values = Float32Array.from({ length: n }, () => Math.fround(Math.sin(random.integer(distinct))));
  const payload = random.chance(0.5)
    ? tensor(
        Int32Array.from({ length: n }, () => random.integer(distinct) - 1),
        { dtype: 'int32' },
      )
    : undefined;
  const input = { scores: tensor(values, { dtype: 'float32' }), payload, k };
  expectBits(await run(input), topK(input));
});

test('wrong inputs', async () => {
  const scores = tensor(new Float32Array(6), { shape: [2, 3] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.topK(tensor(new Int32Array(6)), { k: 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.topK(tensor([1], { shape: [] }), { k: 1 }));
  for (const k of [0, -1, 1.5, Number.NaN]) await expectCode('INVALID_ARGUMENT', () => ops.topK(scores, { k }));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.topK(scores, { k: 1, payload: scores }));
  await expectCode('SHAPE_MISMATCH', () => ops.topK(scores, { k: 1, payload: tensor(new Int32Array(6)) }));
});
