import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/bloom_layout.js';
import { bloomLayout } from '../reference/bloom_layout.js';
import { checkCases, expectCode } from '../support/ops.js';

checkCases(cases, run, bloomLayout);

test('one row with very many terms does not widen its block', async () => {
  const loads = (huge: number) => Int32Array.of(0, huge, ...Array.from({ length: 511 }, (_, i) => huge + 2 * i + 2));
  const narrow = await ops.bloomLayout(tensor(loads(2)));
  const huge = await ops.bloomLayout(tensor(loads(3000)));
  expect([...huge.view()]).toEqual([...narrow.view()]);
  expect([...huge.view()]).toEqual([0n, 24n]);
});

test('offsets that do not ascend from 0 are refused', async () => {
  const rows = (change: (offsets: Int32Array) => void) => {
    const offsets = Int32Array.from({ length: 1025 }, (_, i) => i);
    change(offsets);
    return tensor(offsets);
  };
  await expectCode('INVALID_ARGUMENT', () => ops.bloomLayout(rows((offsets) => offsets.fill(1, 0, 1))));
  await expectCode('INVALID_ARGUMENT', () => ops.bloomLayout(rows((offsets) => offsets.fill(3, 600, 601))));
  await expectCode('INVALID_ARGUMENT', () => ops.bloomLayout(rows((offsets) => offsets.fill(-1))));
  await expectCode('INVALID_ARGUMENT', () => ops.bloomLayout(rows((offsets) => offsets.fill(-1, 1024))));
  const most = await ops.bloomLayout(rows((offsets) => offsets.fill(2 ** 31 - 1, 1)));
  expect(most.view()[2]).toBe(65536n);
});

test('wrong inputs', async () => {
  const rows = (count: number) => tensor(new Int32Array(count));
  await expectCode('SHAPE_MISMATCH', () => ops.bloomLayout(rows(0)));
  await expectCode('SHAPE_MISMATCH', () => ops.bloomLayout(rows(512)));
  await expectCode('SHAPE_MISMATCH', () => ops.bloomLayout(rows(513).reshape([1, 513])));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.bloomLayout(tensor(new BigInt64Array(513))));
  for (const bitsPerTerm of [0, -1, 0.99, 257, NaN, Infinity]) {
    await expectCode('INVALID_ARGUMENT', () => ops.bloomLayout(rows(513), { bitsPerTerm }));
  }
});
