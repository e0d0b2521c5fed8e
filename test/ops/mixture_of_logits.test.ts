import { ops, type SilverlodeError, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { cases, type Input, run } from '../cases/mixture_of_logits.js';
import { mixtureOfLogits } from '../reference/mixture_of_logits.js';
import { checkClose, expectClose } from '../support/close.js';
import { expectCode, forEachLevel, property } from '../support/ops.js';

// Scores of up to about |user| / temperature, so that their differences in float32 reach the softmax enlarged.
checkClose(cases, run, mixtureOfLogits, ({ temperature }) => ({
  absolute: 2e-5 / temperature,
  relative: 2e-5 / temperature,
}));

const some = cases.find(({ name }) => name.includes('int8')) as (typeof cases)[number];
const values = async (input: Input) => (await run(input)).y.view();

describe('what a mixture is', () => {
  test('one user and one item component: their cosine over the temperature, whatever the gates', async () => {
    const input = {
      user: tensor([0.6, 0.8], { shape: [1, 1, 2] }),
      userGates: tensor([-7], { shape: [1, 1, 1] }),
      embeddings: tensor([2, 0, 0, 5, -3, -4], { shape: [3, 2] }),
      embeddingIndex: tensor(Int32Array.of(0, 1, 2, -1), { shape: [1, 4] }),
      item: { weight: tensor([1, 0, 0, 1], { shape: [2, 2] }) },
      itemGate: { weight: tensor([1, 1], { shape: [1, 2] }) },
      crossGate: { weight: tensor([3], { shape: [1, 1] }) },
      temperature: 0.5,
    };
    const y = await ops.mixtureOfLogits(input);
    expect(y.shape).toEqual([1, 4, 1]);
    expectClose(y.view(), [1.2, 1.6, -2, 0], { relative: 1e-6 });
    const plain = await ops.mixtureOfLogits({ ...input, crossGate: undefined, temperature: undefined });
    expectClose(plain.view(), [0.6, 0.8, -1, 0], { relative: 1e-6 });
  });

  property('a logit lies between the smallest and the largest score', 30, async (random) => {
    const input = random.pick(cases.filter(({ bench }) => !bench)).input();
    const each = (await values(input)).length;
    const [tasks, pairs] = input.userGates.shape.slice(1) as [number, number];
    // A gate that is far above all others picks the score of its pair.
    const scores: ArrayLike<number>[] = [];
    for (let c = 0; c < pairs; c++) {
      const gates = new Float32Array(input.userGates.view().length).map((_, i) => (i % pairs === c ? 1e6 : 0));
      scores.push(await values({ ...input, userGates: tensor(gates, { shape: input.userGates.shape }) }));
    }
    const logits = await values(input);
    for (let i = 0; i < each; i++) {
      const own = scores.map((score) => score[i] as number);
      const slack = 1e-5 * Math.max(1, ...own.map(Math.abs));
      expect(logits[i]).toBeGreaterThanOrEqual(Math.min(...own) - slack);
      expect(logits[i]).toBeLessThanOrEqual(Math.max(...own) + slack);
      expect(own).toEqual(own.map((_, c) => scores[c]?.[i - (i % tasks)])); // the same scores for every task
    }
  });

  property('scaling an item component or shifting all gates of a task changes next to nothing', 10, async (random) => {
    const input = some.input();
    const [scale, shift] = [2 ** (random.integer(9) - 4), 50 * random.normal()];
    const times = (factor: number, given: Tensor) => {
      const all = given.view() as Float32Array;
      return tensor(
        all.map((x) => x * factor),
        { shape: given.shape },
      );
    };
    const { weight, bias } = input.item;
    const scaled = { weight: times(scale, weight), bias: times(scale, bias as Tensor) };
    const gates = (input.userGates.view() as Float32Array).map((gate) => gate + shift);
    const changed = { ...input, item: scaled, userGates: tensor(gates, { shape: input.userGates.shape }) };
    expectClose(await values(changed), await values(input), { absolute: 2e-4 });
  });
});

forEachLevel(() => {
  test('huge gates are no problem: the softmax is stable', async () => {
    const input = some.input();
    const gates = (input.userGates.view() as Float32Array).map((gate) => 1e4 * gate);
    const large = { ...input, userGates: tensor(gates, { shape: input.userGates.shape }) };
    const y = await values(large);
    expect([...y].every(Number.isFinite)).toBe(true);
    expectClose(y, mixtureOfLogits(large), { absolute: 1e-3 });
  });

  test('an item component of zeros scores 0', async () => {
    const input = some.input();
    const zero = (given: Tensor) => tensor(new Float32Array(given.view().length), { shape: given.shape });
    const item = { weight: zero(input.item.weight), bias: zero(input.item.bias as Tensor) };
    const y = await values({ ...input, item });
    expect([...y].filter((x) => x !== 0)).toEqual([]);
  });

  test('a gate that is NaN or infinite makes the logits of its task NaN', async () => {
    const zeros = () => tensor(new Int32Array(21), { shape: [3, 7] }) as Tensor<'int32'>;
    const input = { ...some.input(), embeddingIndex: zeros(), featureIndex: zeros() };
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const gates = (input.userGates.view() as Float32Array).slice();
      gates[2] = bad; // request 0, task 0
      const y = await values({ ...input, userGates: tensor(gates, { shape: input.userGates.shape }) });
      y.forEach((x, i) => {
        expect(Number.isNaN(x), `logit ${i}`).toBe(i < 14 && i % 2 === 0);
      });
    }
  });

  test('an index beyond its table is named', async () => {
    const wrong = async (change: (input: Input) => void) => {
      const input = some.input();
      change(input);
      await expectCode('INVALID_ARGUMENT', () => run(input));
    };
    for (const bad of [40, -2, 2 ** 31 - 1, -(2 ** 31)]) {
      await wrong(({ embeddingIndex }) => (embeddingIndex.view()[3] = bad));
      await wrong(({ embeddingIndex, featureIndex }) => {
        embeddingIndex.view()[3] = 0;
        (featureIndex as Tensor<'int32'>).view()[3] = bad;
      });
    }
  });
});

test('wrong inputs', async () => {
  const wrong = (code: SilverlodeError['code'], change: Partial<Input>) =>
    expectCode(code, () => run({ ...some.input(), ...change }));
  const { user, userGates, embeddings, embeddingIndex, item, itemGate } = some.input();
  const zeros = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
  await wrong('UNSUPPORTED_DTYPE', { user: embeddings });
  await wrong('SHAPE_MISMATCH', { user: user.reshape([9, 5]) });
  await wrong('SHAPE_MISMATCH', { user: zeros(3, 2, 5) });
  await wrong('SHAPE_MISMATCH', { user: zeros(3, 3, 4) });
  await wrong('SHAPE_MISMATCH', { user: zeros(3, 3, 0) });
  await wrong('SHAPE_MISMATCH', { user: zeros(2, 3, 5) });
  await wrong('UNSUPPORTED_DTYPE', { userGates: embeddingIndex });
  await wrong('SHAPE_MISMATCH', { userGates: zeros(3, 2, 5) });
  await wrong('SHAPE_MISMATCH', { userGates: zeros(3, 3, 6) });
  await wrong('SHAPE_MISMATCH', { userGates: zeros(3, 0, 6) });
  await wrong('SHAPE_MISMATCH', { userGates: userGates.reshape([3, 12]) });
  await wrong('UNSUPPORTED_DTYPE', { embeddings: tensor(new Uint8Array(40 * 32), { shape: [40, 32] }) });
  await wrong('SHAPE_MISMATCH', { embeddings: embeddings.reshape([160, 8]) });
  await wrong('INVALID_ARGUMENT', { embeddingScales: undefined });
  await wrong('INVALID_ARGUMENT', { embeddings: zeros(40, 9) });
  await wrong('SHAPE_MISMATCH', { embeddings: zeros(40, 10), embeddingScales: undefined });
  await wrong('SHAPE_MISMATCH', { embeddingIndex: embeddingIndex.reshape([7, 3]) as Tensor<'int32'> });
  await wrong('INVALID_ARGUMENT', { features: undefined });
  await wrong('INVALID_ARGUMENT', { featureIndex: undefined });
  await wrong('SHAPE_MISMATCH', { features: zeros(40, 12) });
  await wrong('SHAPE_MISMATCH', { item: { weight: zeros(11, 12) } });
  await wrong('SHAPE_MISMATCH', { item: { weight: zeros(0, 12) } });
  await wrong('SHAPE_MISMATCH', { item: { weight: item.weight, bias: zeros(9) } });
  await wrong('UNSUPPORTED_DTYPE', { item: { weight: tensor(new Int8Array(120), { shape: [10, 12] }) } });
  await wrong('SHAPE_MISMATCH', { itemGate: { weight: zeros(12, 11) } });
  await wrong('SHAPE_MISMATCH', { itemGate: { weight: itemGate.weight, bias: zeros(11) } });
  await wrong('UNSUPPORTED_DTYPE', { itemGate: { weight: embeddingIndex } });
  await wrong('SHAPE_MISMATCH', { crossGate: { weight: zeros(12, 5) } });
  await wrong('UNSUPPORTED_DTYPE', { crossGate: { weight: embeddingIndex } });
  for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-60, 1e60]) {
    await wrong('INVALID_ARGUMENT', { temperature });
  }
});
