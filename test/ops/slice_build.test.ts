import { type SilverlodeError, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, type Input, run } from '../cases/slice_build.js';
import { sliceBuild } from '../reference/slice_build.js';
import { checkCases, expectCode, forEachLevel } from '../support/ops.js';

checkCases(cases, run, sliceBuild);

const good = () => (cases.find(({ name }) => name.includes('even')) as (typeof cases)[number]).input();

test('several terms may share a slice', async () => {
  const offsets = tensor(Int32Array.from({ length: 513 }, (_, i) => Math.min(i, 4)));
  const rows = { offsets, terms: tensor(Int32Array.of(0, 1, 2, 3)) } as never;
  const { slices } = await run({ rows, sliceOfTerm: tensor(Int32Array.of(1, -1, 1, 0)) as never, slices: 2 });
  expect(slices.shape).toEqual([2, 8]);
  expect([slices.view()[0], slices.view()[8]]).toEqual([0b1000n, 0b0101n]);
});

forEachLevel(() => {
  test('terms, offsets and slices out of range are refused', async () => {
    const wrong = async (change: (input: Input) => void) => {
      const input = good();
      change(input);
      await expectCode('INVALID_ARGUMENT', () => run(input));
    };
    for (const term of [-1, 4000, 2 ** 31 - 1]) await wrong(({ rows }) => rows.terms.view().fill(term, 3, 4));
    for (const offset of [-1, 10 ** 7, 2 ** 31 - 1]) await wrong(({ rows }) => rows.offsets.view().fill(offset, 9, 10));
    for (const slice of [-2, 7, 2 ** 31 - 1]) await wrong(({ sliceOfTerm }) => sliceOfTerm.view().fill(slice, 5, 6));
  });
});

test('wrong inputs', async () => {
  const input = good();
  const wrong = (code: SilverlodeError['code'], change: object) => expectCode(code, () => run({ ...input, ...change }));
  const { rows, sliceOfTerm } = input;
  for (const slices of [-1, 1.5, 2 ** 40]) await wrong('INVALID_ARGUMENT', { slices });
  await wrong('SHAPE_MISMATCH', { rows: { ...rows, offsets: tensor(Int32Array.of(0, 0)) } });
  await wrong('SHAPE_MISMATCH', { sliceOfTerm: sliceOfTerm.reshape([1, 4000]) });
  await wrong('UNSUPPORTED_DTYPE', { rows: { ...rows, terms: tensor(new BigInt64Array(3)) } });
  await wrong('UNSUPPORTED_DTYPE', { rows: { ...rows, offsets: tensor(new BigInt64Array(2049)) } });
  await wrong('UNSUPPORTED_DTYPE', { sliceOfTerm: tensor(new BigInt64Array(4000)) });
});
