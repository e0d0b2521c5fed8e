import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/layer_norm.js';
import { layerNorm } from '../reference/layer_norm.js';
import { checkClose } from '../support/close.js';
import { expectCode } from '../support/ops.js';

checkClose(cases, run, layerNorm);

test('leading dimensions are kept', async () => {
  const x = tensor([1, 3, -5, 5], { shape: [2, 1, 2] });
  const y = await ops.layerNorm(x, { epsilon: 0 });
  expect([y.shape, [...y.view()]]).toEqual([
    [2, 1, 2],
    [-1, 1, -1, 1],
  ]);
});

test('wrong inputs', async () => {
  const x = tensor([1, 2], { shape: [1, 2] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.layerNorm(tensor([1, 2], { dtype: 'float16' })));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.layerNorm(x, { weight: tensor([1, 2], { dtype: 'int32' }) }));
  await expectCode('SHAPE_MISMATCH', () => ops.layerNorm(tensor([1], { shape: [] })));
  await expectCode('SHAPE_MISMATCH', () => ops.layerNorm(x, { weight: tensor([1]) }));
  await expectCode('SHAPE_MISMATCH', () => ops.layerNorm(x, { bias: x }));
  for (const epsilon of [-1e-5, Number.NaN]) {
    await expectCode('INVALID_ARGUMENT', () => ops.layerNorm(x, { epsilon }));
  }
});
