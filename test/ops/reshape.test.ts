import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/reshape.js';
import { reshape } from '../reference/reshape.js';
import { checkCases, expectCode } from '../support/ops.js';

checkCases(cases, run, reshape);

test('gives a view of the same memory, which outlives the first tensor', async () => {
  const x = tensor([1, 2, 3, 4]);
  const y = await ops.reshape(x, [2, 2]);
  expect(y.shape).toEqual([2, 2]);
  x.view()[3] = 9;
  expect([...y.view()]).toEqual([1, 2, 3, 9]);
  x.dispose();
  expect([...y.view()]).toEqual([1, 2, 3, 9]);
  await expectCode('DISPOSED', () => ops.reshape(x, [4]));
});

test('wrong shapes', async () => {
  const x = tensor([1, 2, 3, 4]);
  await expectCode('SHAPE_MISMATCH', () => ops.reshape(x, [3]));
  await expectCode('SHAPE_MISMATCH', () => ops.reshape(x, []));
  await expectCode('SHAPE_MISMATCH', () => ops.reshape(x, [-1]));
  await expectCode('SHAPE_MISMATCH', () => ops.reshape(x, [-2, -2]));
  for (const shape of [[1.5], [NaN], ['batch', 2], [1, 1, 1, 1, 1, 1, 4]]) {
    await expectCode('INVALID_ARGUMENT', () => ops.reshape(x, shape));
  }
});
