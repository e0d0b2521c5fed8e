import { ops, type SilverlodeError, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { cases, type Input, run, SCOPE, valueInput } from '../cases/value_model.js';
import { isTranscendental, valueModel } from '../reference/value_model.js';
import { checkClose, expectClose } from '../support/close.js';
import { expectCode, forEachLevel, property } from '../support/ops.js';
import { randomFormula } from '../value/random_formula.js';

checkClose(cases, run, valueModel, ({ program }) =>
  isTranscendental(program) ? { relative: 1e-6, absolute: program.steps.length > 8 ? 1e-6 : 1e-38 } : {},
);

describe('random formulas of exact operations', () => {
  const rename = (text: string) => text.replaceAll(/"name":"(both|odd \\"name\\"|if|größe|score)"/g, '"name":"b"');
  property('agree with the interpreter to the last bit', 200, async (random) => {
    const formula = JSON.parse(rename(JSON.stringify(randomFormula(random, 4))));
    const input = valueInput({ formula, m: 33, values: random.chance(0.5) ? 'special' : undefined }, random);
    if (!isTranscendental(input.program)) expectClose((await run(input)).y.view(), valueModel(input));
  });
});

forEachLevel(() => {
  test('min, max and clamp of NaN and of zeros', async () => {
    const of = async (formula: string, score: number, a: number, b = 0) => {
      const input = valueInput({ formula, batch: 1, m: 1, missing: 0 }, new Random(1));
      const columns = tensor(Float32Array.of(a, b, 0), { shape: [1, 3] });
      const ordinals = tensor(Int32Array.of(0), { dtype: 'int32', shape: [1, 1] });
      return (await run({ ...input, columns, ordinals, scores: tensor([score], { shape: [1, 1] }) })).y.view()[0];
    };
    for (const name of ['min', 'max']) {
      expect(await of(`${name}(score, a)`, NaN, 1)).toBe(NaN);
      expect(await of(`${name}(score, a)`, 1, NaN)).toBe(NaN);
      expect(await of(`${name}(score, a)`, 0, -0)).toBe(-0);
      expect(await of(`${name}(score, a)`, -0, 0)).toBe(0);
    }
    expect(await of('clamp(score, a, b)', NaN, 0, 1)).toBe(NaN);
    expect(await of('clamp(score, a, b)', 0.5, NaN, 1)).toBe(NaN);
    expect(await of('clamp(score, a, b)', 0.5, 0, NaN)).toBe(NaN);
    expect(await of('clamp(score, a, b)', 5, 2, 1)).toBe(1);
  });

  test('bad steps and ordinals are refused', async () => {
    const good = valueInput({ formula: 'a + score', missing: 0 }, new Random(1));
    const steps = (...pairs: number[]) => tensor(Int32Array.from(pairs), { shape: [pairs.length / 2, 2] });
    for (const bad of [[], [99, 0], [-1, 0], [20, 0], [2, 0, 2, 0], [0, 0], [0, -1], [1, 0], [3, 0], [4, 3], [4, -1]]) {
      await expectCode('INVALID_ARGUMENT', () => run({ ...good, steps: steps(...bad) }));
    }
    const deep = Array.from({ length: 65 }, () => [2, 0]).flat();
    const sums = Array.from({ length: 64 }, () => [20, 0]).flat();
    await expectCode('INVALID_ARGUMENT', () => run({ ...good, steps: steps(...deep, ...sums) }));
    await run({ ...good, steps: steps(...deep.slice(2), ...sums.slice(2)) });
    for (const ordinal of [60, -2]) {
      good.ordinals.view()[5] = ordinal;
      await expectCode('INVALID_ARGUMENT', () => run(good));
    }
  });
});

test('wrong inputs', async () => {
  const good = valueInput({ formula: 'click + a + weight.w', batch: 2, m: 3 }, new Random(1));
  const wrong = (code: SilverlodeError['code'], change: Partial<Record<keyof Input, unknown>>) =>
    expectCode(code, () => ops.valueModel({ ...good, ...change } as Input));
  const floats = (...shape: number[]) => tensor(new Float32Array(shape.reduce((p, d) => p * d, 1)), { shape });
  expect(SCOPE.tasks).toHaveLength(2);
  await wrong('SHAPE_MISMATCH', { scores: floats(6) });
  await wrong('SHAPE_MISMATCH', { ordinals: tensor(new Int32Array(6), { shape: [3, 2] }) });
  await wrong('SHAPE_MISMATCH', { logits: floats(2, 4, 2) });
  await wrong('SHAPE_MISMATCH', { logits: floats(2, 3) });
  await wrong('SHAPE_MISMATCH', { columns: floats(180) });
  await wrong('SHAPE_MISMATCH', { weights: floats(3, 1) });
  await wrong('SHAPE_MISMATCH', { steps: tensor(new Int32Array(3), { shape: [1, 3] }) });
  await wrong('SHAPE_MISMATCH', { constants: floats(1, 1) });
  await wrong('UNSUPPORTED_DTYPE', { scores: good.ordinals });
  await wrong('UNSUPPORTED_DTYPE', { ordinals: good.scores });
  await wrong('UNSUPPORTED_DTYPE', { steps: floats(1, 2) });
  await wrong('UNSUPPORTED_DTYPE', { constants: tensor(new Int32Array(1)) });
  for (const missing of ['logits', 'columns', 'weights']) await wrong('INVALID_ARGUMENT', { [missing]: undefined });
});
