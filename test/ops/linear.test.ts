import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/linear.js';
import { activationTolerance } from '../reference/activation.js';
import { linear } from '../reference/linear.js';
import { checkClose } from '../support/close.js';
import { expectCode } from '../support/ops.js';

checkClose(cases, run, linear, ({ activation }) => activationTolerance(activation));

test('leading dimensions are kept', async () => {
  const weight = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
  const y = await ops.linear(tensor([1, 10, 2, 20], { shape: [2, 1, 2] }), weight);
  expect([y.shape, [...y.view()]]).toEqual([
    [2, 1, 3],
    [21, 43, 65, 42, 86, 130],
  ]);
  expect((await ops.linear(tensor([1, 10]), weight)).shape).toEqual([3]);
});

test('wrong inputs', async () => {
  const x = tensor([1, 2], { shape: [1, 2] });
  const weight = tensor([1, 2, 3, 4], { shape: [2, 2] });
  await expectCode('SHAPE_MISMATCH', () => ops.linear(x, weight.reshape([4, 1])));
  await expectCode('SHAPE_MISMATCH', () => ops.linear(x, weight.reshape([4])));
  await expectCode('SHAPE_MISMATCH', () => ops.linear(tensor([1], { shape: [] }), weight));
  await expectCode('SHAPE_MISMATCH', () => ops.linear(x, weight, { bias: tensor([1, 2, 3]) }));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.linear(tensor(Int32Array.of(1, 2)), weight));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.linear(tensor([1, 2], { dtype: 'float16' }), weight));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.linear(x, tensor(new Int8Array(4), { shape: [2, 2] })));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.linear(x, weight, { bias: tensor([1, 2], { dtype: 'float16' }) }));
  await expectCode('INVALID_ARGUMENT', () => ops.linear(x, weight, { activation: 'selu' as 'silu' }));
});
