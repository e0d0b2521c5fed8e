import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/rotate.js';
import { rotate } from '../reference/rotate.js';
import { checkCases, expectCode, property } from '../support/ops.js';

checkCases(cases, run, rotate);

test('a unit vector by hand: every coordinate is 1 / sqrt(n) or its negative', async () => {
  const signs = tensor(new Int8Array(32).fill(1)) as never;
  const { rotated } = await ops.rotate(tensor([0, 2]), signs);
  const expected = Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 2 * Math.fround(1 / Math.sqrt(32)));
  expect([...rotated.view()]).toEqual(expected);
});

test('leading dimensions are kept, the mean gives an offset each', async () => {
  const signs = tensor(new Int8Array(32).fill(-1)) as never;
  const values = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 1, 2] });
  const { rotated, offsets } = await ops.rotate(values, signs, { mean: tensor([10, 1]) });
  expect(rotated.shape).toEqual([3, 1, 32]);
  expect([offsets.shape, [...offsets.view()]]).toEqual([
    [3, 1],
    [12, 34, 56],
  ]);
});

property('inner products and distances stay', 20, async (random) => {
  const dim = 1 + random.integer(400);
  const width = Math.ceil(dim / 32) * 32;
  const values = Float32Array.from({ length: 2 * dim }, () => random.normal());
  const signs = tensor(new Int8Array(width).map(() => (random.chance(0.5) ? 1 : -1)));
  const { rotated } = await ops.rotate(tensor(values, { shape: [2, dim] }), signs as never);
  const dot = (data: Float32Array, n: number) =>
    data.subarray(0, n).reduce((sum, x, d) => sum + x * (data[n + d] as number), 0);
  expect(dot(rotated.view(), width)).toBeCloseTo(dot(values, dim), 3);
});

test('aligned values have nothing along the mean; opposed ones keep a positive factor', async () => {
  const signs = tensor(new Int8Array(32).fill(1)) as never;
  const mean = tensor([3, 4]);
  const values = tensor([6, 8, 10, 5, -3, -4, 0, 0], { shape: [4, 2] });
  const { rotated, offsets, factors } = await ops.rotate(values, signs, { mean, subtract: 'aligned' });
  expect([...factors.view()]).toEqual([2, 2, 1 / 32, 0]);
  expect([...offsets.view()]).toEqual([25, 25, -25 * 32, 0]);
  const [first, , , last] = [0, 1, 2, 3].map((row) => rotated.view().subarray(row * 32, row * 32 + 32));
  expect([...(first as Float32Array), ...(last as Float32Array)].every((x) => x === 0)).toBe(true);
  expect([...rotated.view().subarray(32, 34)]).toEqual(
    [2 - 1.5, 2 + 1.5].map((x) => Math.fround(x * Math.fround(1 / Math.sqrt(32)))),
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d spreads over its block and no further', async (bad) => {
  const signs = tensor(new Int8Array(96).fill(1)) as never;
  const values = new Float32Array(2 * 96).fill(1);
  values[70] = bad; // in the block of 32 that follows 64
  const { rotated } = await ops.rotate(tensor(values, { shape: [2, 96] }), signs);
  const finite = Array.from(rotated.view(), (value) => Number.isFinite(value));
  expect(finite).toEqual(Array.from({ length: 2 * 96 }, (_, i) => i < 64 || i >= 96));
});

test('wrong inputs', async () => {
  const signs = tensor(new Int8Array(32).fill(1)) as never;
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rotate(tensor(new Int8Array(4)) as never, signs));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rotate(tensor([1]), tensor(new Float32Array(32)) as never));
  await expectCode('SHAPE_MISMATCH', () => ops.rotate(tensor([1], { shape: [] }), signs));
  await expectCode('SHAPE_MISMATCH', () => ops.rotate(tensor(new Float32Array(33)), signs));
  await expectCode('SHAPE_MISMATCH', () => ops.rotate(tensor([1, 2]), signs, { mean: tensor([1]) }));
  await expectCode('INVALID_ARGUMENT', () => ops.rotate(tensor([1, 2]), signs, { subtract: 'mean' }));
});
