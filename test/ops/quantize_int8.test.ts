import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/quantize_int8.js';
import { quantizeInt8 } from '../reference/quantize_int8.js';
import { checkCases, expectCode, expectFault, forEachLevel, property } from '../support/ops.js';

checkCases(cases, run, quantizeInt8);

test('leading dimensions are kept', async () => {
  const values = tensor([1, -2, 3, 4, 5, -6], { shape: [3, 1, 2] });
  const { quantized, scales } = await ops.quantizeInt8(values, { padTo: 4 });
  expect(quantized.shape).toEqual([3, 1, 4]);
  expect(scales.shape).toEqual([3, 1]);
  const vector = await ops.quantizeInt8(tensor([0, -2]));
  expect(vector.scales.shape).toEqual([]);
  expect([...vector.quantized.view().subarray(0, 2)]).toEqual([0, -127]);
});

property('dequantised values are at most half a scale away', 20, async (random) => {
  const dim = 1 + random.integer(300);
  const values = Float32Array.from({ length: dim }, () => random.normal() * 2 ** (random.integer(40) - 20));
  const { quantized, scales } = await ops.quantizeInt8(tensor(values));
  const [scale] = scales.view();
  values.forEach((x, d) => {
    const back = (quantized.view()[d] as number) * (scale as number);
    expect(Math.abs(back - x)).toBeLessThanOrEqual((scale as number) * 0.50001);
  });
});

forEachLevel(() => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '%s names the first bad row',
    async (bad) => {
      const values = new Float32Array(5000 * 33).fill(1);
      values[4321 * 33 + 32] = bad;
      values[1234 * 33 + 32] = bad;
      const wrong = () => ops.quantizeInt8(tensor(values, { shape: [5000, 33] }));
      await expectFault('quantize_int8', 'row 1234 ', wrong);
    },
  );
});

test('wrong inputs', async () => {
  await expectCode('UNSUPPORTED_DTYPE', () => ops.quantizeInt8(tensor(new Int8Array(4))));
  await expectCode('SHAPE_MISMATCH', () => ops.quantizeInt8(tensor([1], { shape: [] })));
  for (const padTo of [0, -1, 4097])
    await expectCode('INVALID_ARGUMENT', () => ops.quantizeInt8(tensor([1]), { padTo }));
});
