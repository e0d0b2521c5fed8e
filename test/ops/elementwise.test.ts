import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { BINARY, cases, run, UNARY } from '../cases/elementwise.js';
import { activationTolerance } from '../reference/activation.js';
import { elementwise } from '../reference/elementwise.js';
import { checkClose } from '../support/close.js';
import { expectCode, forEachLevel } from '../support/ops.js';

const exact = (op: string) => op === 'add' || op === 'multiply';

checkClose(cases, run, elementwise, ({ op }) => (exact(op) ? {} : activationTolerance(op)));

forEachLevel(() => {
  test('limits and signs', async () => {
    const x = tensor([Infinity, -Infinity, NaN, 0, -0, 200, -200]);
    const of = async (op: (typeof UNARY)[number]) => [...(await ops[op](x)).view()];
    expect(await of('relu')).toEqual([Infinity, 0, NaN, 0, -0, 200, 0]);
    expect(await of('sigmoid')).toEqual([1, 0, NaN, 0.5, 0.5, 1, 0]);
    expect(await of('tanh')).toEqual([1, -1, NaN, 0, -0, 1, -1]);
  });
});

test('wrong inputs', async () => {
  const x = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
  for (const op of UNARY) {
    await expectCode('UNSUPPORTED_DTYPE', () => ops[op](tensor([1], { dtype: 'float16' })));
    await expectCode('UNSUPPORTED_DTYPE', () => ops[op](tensor([1], { dtype: 'int32' })));
  }
  for (const op of BINARY) {
    await expectCode('UNSUPPORTED_DTYPE', () => ops[op](x, tensor([1, 2], { dtype: 'float16' })));
    await expectCode('UNSUPPORTED_DTYPE', () => ops[op](tensor([1, 2], { dtype: 'int8' }), tensor([1, 2])));
    for (const shape of [[3], [6], [2, 3], [1, 3, 2], [1], [2, 1]]) {
      const count = shape.reduce((product, dim) => product * dim, 1);
      await expectCode('SHAPE_MISMATCH', () => ops[op](x, tensor(new Float32Array(count), { shape })));
    }
    await expectCode('INVALID_ARGUMENT', () => ops[op](x, undefined as never));
  }
});
