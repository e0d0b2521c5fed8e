import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/concat.js';
import { concat } from '../reference/concat.js';
import { checkCases, expectCode } from '../support/ops.js';

checkCases(cases, run, concat);

test('leading dimensions are kept, the last ones add up', async () => {
  const x = tensor([1, 2, 3, 4], { shape: [2, 1, 2] });
  expect((await ops.concat([x, tensor([5, 6], { shape: [2, 1, 1] }), x])).shape).toEqual([2, 1, 5]);
});

test('wrong inputs', async () => {
  const x = tensor([1, 2, 3, 4], { shape: [2, 2] });
  await expectCode('INVALID_ARGUMENT', () => ops.concat([]));
  await expectCode('INVALID_ARGUMENT', () => ops.concat(Array.from({ length: 9 }, () => x)));
  await expectCode('INVALID_ARGUMENT', () => ops.concat([x, undefined as never]));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.concat([x, tensor([1, 2], { dtype: 'int32', shape: [2, 1] })]));
  await expectCode('SHAPE_MISMATCH', () => ops.concat([x, x.reshape([1, 4])]));
  await expectCode('SHAPE_MISMATCH', () => ops.concat([x, x.reshape([4])]));
  await expectCode('SHAPE_MISMATCH', () => ops.concat([x, x.reshape([2, 1, 2])]));
  await expectCode('SHAPE_MISMATCH', () => ops.concat([tensor([1], { shape: [] }), tensor([1], { shape: [] })]));
});
