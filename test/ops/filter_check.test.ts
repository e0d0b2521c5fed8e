import { type SilverlodeError, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { cases, type Input, run } from '../cases/filter_check.js';
import { run as evaluate } from '../cases/filter_eval.js';
import { makeFilterInput } from '../cases/filter_input.js';
import { tensorOf } from '../cases/op_case.js';
import { filterCheck } from '../reference/filter_check.js';
import { exactMask } from '../reference/filter_eval.js';
import { checkCases, expectCode, forEachLevel, property } from '../support/ops.js';

checkCases(cases, run, filterCheck);

property('after filter_eval the mask is exact', 10, async (random) => {
  const input = makeFilterInput({ rows: 512, leaves: 1 + random.integer(12), load: 'one huge row' }, random);
  const { mask } = await run({ ...input, ...(await evaluate(input)) });
  expect(mask.view()).toEqual(exactMask(input));
});

const good = () => (cases.find(({ name }) => name.includes('all doubtful')) as (typeof cases)[number]).input();

forEachLevel(() => {
  test('bad plans are refused', async () => {
    const input = good();
    input.plans.steps.view()[0] = 99n;
    await expectCode('INVALID_ARGUMENT', () => run(input));
    const offsets = tensorOf(Int32Array.of(0, 1, 0, 0), 4);
    await expectCode('INVALID_ARGUMENT', () => run({ ...good(), plans: { ...good().plans, offsets } }));
  });

  test('broken terms give wrong answers, but nothing worse', async () => {
    for (const offset of [-1, 2 ** 31 - 1, -(2 ** 31), 10 ** 6]) {
      const input = good();
      (input.index.termOffsets.view() as Int32Array).fill(offset, 3, 5);
      (input.index.terms.view() as Int32Array).fill(-7, 10, 20);
      const { mask } = await run(input);
      expect(mask.view().some((word, i) => (word & ~(input.hi.view()[i] as bigint)) !== 0n)).toBe(false);
    }
  });
});

test('wrong inputs', async () => {
  const input = makeChecked();
  const wrong = (code: SilverlodeError['code'], change: Partial<Input>) =>
    expectCode(code, () => run({ ...input, ...change }));
  const int64 = (...shape: number[]) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return tensorOf(new BigInt64Array(count), ...shape);
  };
  await wrong('SHAPE_MISMATCH', { lo: int64(24) });
  await wrong('SHAPE_MISMATCH', { hi: int64(3, 16) });
  await wrong('SHAPE_MISMATCH', { lo: int64(4, 8), hi: int64(4, 8) });
  await wrong('SHAPE_MISMATCH', { lo: int64(3, 16), hi: int64(3, 16) });
  await wrong('UNSUPPORTED_DTYPE', { lo: tensor(new Int32Array(24), { shape: [3, 8] }) as never });
  for (const hashes of [-1, 17]) await wrong('INVALID_ARGUMENT', { hashes });
});

function makeChecked(): Input {
  const input = makeFilterInput({ rows: 512 }, new Random(1));
  const none = () => tensorOf(new BigInt64Array(24), 3, 8);
  return { ...input, lo: none(), hi: none() };
}
