import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/l2_normalize.js';
import { l2Normalize } from '../reference/l2_normalize.js';
import { checkClose } from '../support/close.js';
import { expectCode } from '../support/ops.js';

checkClose(cases, run, l2Normalize);

test('leading dimensions are kept', async () => {
  const y = await ops.l2Normalize(tensor([3, 4, 0, -2], { shape: [2, 1, 2] }));
  expect([y.shape, [...y.view()]]).toEqual([[2, 1, 2], [0.6, 0.8, 0, -1].map(Math.fround)]);
});

test('wrong inputs', async () => {
  await expectCode('UNSUPPORTED_DTYPE', () => ops.l2Normalize(tensor([1, 2], { dtype: 'bfloat16' })));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.l2Normalize(tensor([1n])));
  await expectCode('SHAPE_MISMATCH', () => ops.l2Normalize(tensor([1], { shape: [] })));
});
