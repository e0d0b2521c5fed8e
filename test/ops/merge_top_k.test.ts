import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/merge_top_k.js';
import { tensorOf } from '../cases/op_case.js';
import { mergeTopK } from '../reference/merge_top_k.js';
import { checkCases, expectBits, expectCode, property } from '../support/ops.js';

checkCases(cases, run, mergeTopK);

test('the lower list wins a tie, the better score wins otherwise', async () => {
  const scores = tensor([1, 2, 2, 3], { shape: [1, 2, 2] });
  const ids = tensor([7, 8, 8, 7], { shape: [1, 2, 2], dtype: 'int32' });
  const merged = await ops.mergeTopK(scores, ids, { k: 3 });
  expect([...merged.scores.view()]).toEqual([3, 2, Number.NEGATIVE_INFINITY]);
  expect([...merged.ids.view()]).toEqual([7, 8, -1]);
  expect([...merged.sources.view()]).toEqual([1, 0, -1]);
});

test('a main and a fresh index', async () => {
  const missing = Number.NEGATIVE_INFINITY;
  const main = [0.9, 0.1, 0.7, 0.8, 0.4];
  const fresh = [0.95, 0.2, 0.3, 0.6, missing];
  const scores = tensor([...main, ...fresh], { shape: [1, 2, 5] });
  const ids = tensor([30, 60, 50, 40, 10, 200, 100, 300, 400, -1], { shape: [1, 2, 5], dtype: 'int32' });
  const merged = await ops.mergeTopK(scores, ids, { k: 7 });
  expect([...merged.ids.view()]).toEqual([200, 30, 40, 50, 400, 10, 300]);
  expect([...merged.sources.view()]).toEqual([1, 0, 0, 0, 1, 0, 1]);
});

property('any lists are as if sorted', 40, async (random) => {
  const [batch, lists, n] = [1 + random.integer(4), 1 + random.integer(4), 1 + random.integer(400)] as const;
  const count = batch * lists * n;
  const items = 1 + random.integer(2 * lists * n);
  const input = {
    scores: tensorOf(
      Float32Array.from({ length: count }, () => random.integer(items) / 8),
      batch,
      lists,
      n,
    ),
    ids: tensorOf(
      Int32Array.from({ length: count }, () => random.integer(items + 1) - 1),
      batch,
      lists,
      n,
    ),
    k: 1 + random.integer(lists * n + 2),
  };
  expectBits(await run(input), mergeTopK(input));
});

test('wrong inputs', async () => {
  const scores = tensor(new Float32Array(12), { shape: [2, 2, 3] });
  const ids = tensor(new Int32Array(12), { shape: [2, 2, 3] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.mergeTopK(ids, ids, { k: 1 }));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.mergeTopK(scores, scores, { k: 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.mergeTopK(scores.reshape([4, 3]), ids.reshape([4, 3]), { k: 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.mergeTopK(scores, ids.reshape([2, 3, 2]), { k: 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.mergeTopK(scores, ids, { k: 1, counts: tensor(new Int32Array(3)) }));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.mergeTopK(scores, ids, { k: 1, counts: tensor([1, 1]) }));
  await expectCode('INVALID_ARGUMENT', () => ops.mergeTopK(scores, ids, { k: 0 }));
});
