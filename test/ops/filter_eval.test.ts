import { type SilverlodeError, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { cases, type Input, run } from '../cases/filter_eval.js';
import { makeFilterInput, Op } from '../cases/filter_input.js';
import { tensorOf } from '../cases/op_case.js';
import { exactMask, filterEval } from '../reference/filter_eval.js';
import { checkCases, expectCode, forEachLevel, property } from '../support/ops.js';

checkCases(cases, run, filterEval);

property('the truth lies between the bounds', 20, async (random) => {
  const input = makeFilterInput({ rows: 512, leaves: 1 + random.integer(12), load: 'skewed blocks' }, random);
  const { lo, hi } = await run(input);
  exactMask(input).forEach((truth, word) => {
    expect((lo.view()[word] as bigint) & ~truth).toBe(0n);
    expect(truth & ~(hi.view()[word] as bigint)).toBe(0n);
  });
});

const good = () => makeFilterInput({ rows: 1024 }, new Random(1));
const plan = (...steps: number[][]) => ({
  offsets: tensorOf(Int32Array.of(0, steps.length), 2),
  steps: tensorOf(BigInt64Array.from(steps.flat(), BigInt), steps.length, 4),
});
const leaf = (op: number, arg = 0) => [op, arg, 0, 0];

describe('plans come from outside', () => {
  forEachLevel(() => {
    test('and are refused as a whole when a step is wrong', async () => {
      const input = good();
      for (const steps of [
        [leaf(9)],
        [leaf(-1)],
        [leaf(2 ** 40)],
        [leaf(Op.slice, 5)],
        [leaf(Op.slice, -1)],
        [leaf(Op.slice, 2 ** 52)],
        [leaf(Op.bloom, -1)],
        [leaf(Op.bloom, 2 ** 31)],
        [leaf(Op.range32, 2)],
        [leaf(Op.range64, 2)],
        [leaf(Op.not)],
        [leaf(Op.all), leaf(Op.and)],
        [leaf(Op.all), leaf(Op.all)],
        [leaf(Op.all), leaf(Op.all), leaf(Op.or), leaf(Op.or)],
      ]) {
        await expectCode('INVALID_ARGUMENT', () => run({ ...input, plans: plan(...steps) }));
      }
      const stacked = (depth: number) => [
        ...Array.from({ length: depth }, () => leaf(Op.all)),
        ...Array.from({ length: depth - 1 }, () => leaf(Op.and)),
      ];
      await run({ ...input, plans: plan(...stacked(300)) });
      await expectCode('INVALID_ARGUMENT', () => run({ ...input, plans: plan(...stacked(301)) }));
    });

    test('and so are offsets that do not ascend from 0', async () => {
      const input = good();
      for (const offsets of [
        [1, 1],
        [0, 2],
        [0, -1],
        [0, 1, 0],
        [0, 2 ** 31 - 1],
      ]) {
        const plans = { ...plan(leaf(Op.all)), offsets: tensorOf(Int32Array.from(offsets), offsets.length) };
        await expectCode('INVALID_ARGUMENT', () => run({ ...input, plans }));
      }
    });

    test('a Bloom term needs signatures with hashes', async () => {
      await expectCode('INVALID_ARGUMENT', () => run({ ...good(), hashes: 0, plans: plan(leaf(Op.bloom, 1)) }));
      const { hi } = await run({
        ...makeFilterInput({ rows: 512, terms: 0 }, new Random(1)),
        hashes: 4,
        plans: plan(leaf(Op.bloom)),
      });
      expect(hi.view().every((word) => word === 0n)).toBe(true);
    });

    test('a broken index gives wrong answers, but nothing worse', async () => {
      for (const offset of [-1n, 2n ** 62n, -(2n ** 63n), 10n ** 6n]) {
        for (const at of [0, 1, 2]) {
          const input = good();
          (input.index.bloomOffsets.view() as BigInt64Array).fill(offset, at, at + 1);
          const { lo, hi } = await run(input);
          expect(lo.view().some((word, i) => (word & ~(hi.view()[i] as bigint)) !== 0n)).toBe(false);
        }
      }
    });
  });
});

test('wrong inputs', async () => {
  const input = good();
  const wrong = (code: SilverlodeError['code'], change: Partial<Input>) =>
    expectCode(code, () => run({ ...input, ...change }));
  const withIndex = (code: SilverlodeError['code'], change: Partial<Input['index']>) =>
    wrong(code, { index: { ...input.index, ...change } });
  const int64 = (...shape: number[]) =>
    tensor(new BigInt64Array(shape.reduce((product, dim) => product * dim, 1)), { shape }) as Tensor;
  for (const hashes of [-1, 17, 1.5]) await wrong('INVALID_ARGUMENT', { hashes });
  await wrong('SHAPE_MISMATCH', { live: int64(15) as Tensor<'int64'> });
  await wrong('SHAPE_MISMATCH', { live: int64(2, 8) as Tensor<'int64'> });
  await wrong('UNSUPPORTED_DTYPE', { live: tensor(new Float32Array(16)) as never });
  await wrong('SHAPE_MISMATCH', { plans: { ...input.plans, offsets: tensor(new Int32Array(0)) as never } });
  await wrong('SHAPE_MISMATCH', { plans: { ...input.plans, steps: int64(2, 3) as never } });
  await wrong('UNSUPPORTED_DTYPE', { plans: { ...input.plans, offsets: int64(2) as never } });
  await withIndex('SHAPE_MISMATCH', { slices: int64(5, 8) });
  await withIndex('SHAPE_MISMATCH', { bloom: int64(4, 4) });
  await withIndex('SHAPE_MISMATCH', { bloomOffsets: int64(2) });
  await withIndex('SHAPE_MISMATCH', { bloomOffsets: int64(0) });
  await withIndex('SHAPE_MISMATCH', { columns32: tensor(new Int32Array(512), { shape: [1, 512] }) as Tensor });
  await withIndex('SHAPE_MISMATCH', { columns64: int64(1, 512) });
  await withIndex('SHAPE_MISMATCH', { termOffsets: tensor(new Int32Array(1024)) as Tensor });
  await withIndex('SHAPE_MISMATCH', { terms: input.index.terms.reshape([1, input.index.terms.view().length]) });
  await withIndex('UNSUPPORTED_DTYPE', { columns32: input.index.columns64 });
  await withIndex('UNSUPPORTED_DTYPE', { termOffsets: int64(1025) });
  await withIndex('UNSUPPORTED_DTYPE', { terms: int64(3) });
  await withIndex('INVALID_ARGUMENT', { slices: undefined });
});
