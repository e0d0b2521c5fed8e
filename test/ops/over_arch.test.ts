import { nn, ops, readSafetensors, type SilverlodeError, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { dataFolder } from '../../lib/data/data_folder.js';
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { cases, type Input, run } from '../cases/over_arch.js';
import { activationTolerance } from '../reference/activation.js';
import { foldedOverArch, overArch } from '../reference/over_arch.js';
import { allowed, checkClose, expectClose } from '../support/close.js';
import { expectCode, forEachLevel } from '../support/ops.js';

// A deep network carries the small differences of an activation through sums of a few hundred terms.
const exact = (activation: string) => activation === 'none' || activation === 'relu';
checkClose(cases, run, foldedOverArch, ({ activation }) =>
  exact(activation) ? activationTolerance(activation) : { absolute: 2e-5, relative: 2e-6 },
);

describe('agrees with the network over the concatenated pairs', () => {
  for (const each of cases.filter(({ bench }) => !bench)) {
    test(each.name, async () => {
      const input = each.input();
      const expected = overArch(input);
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      expectClose((await run(input)).y.view(), expected, allowed({ absolute: 2e-6 * largest }, input, expected));
    });
  }
});

describe('trained weights', () => {
  test.skipIf(!dataFolder())('give the logits that PyTorch computed', async () => {
    const { models, userFactors, itemFactors } = await loadGoodbooks();
    const { users, candidates, candidatesPerUser: m, logits } = models.reference;
    const arch = new nn.OverArch({ dims: 64, features: 11, hidden: [128, 64], tasks: models.tasks });
    arch.loadStateDict(await readSafetensors(models.overarchPath));
    const user = Float32Array.from({ length: users.length * 64 }, (_, i) => {
      return userFactors.data[(users[i >> 6] as number) * 64 + (i & 63)] as number;
    });
    const index = tensor(candidates, { shape: [users.length, m] });
    const y = await ops.overArch({
      user: tensor(user, { shape: [users.length, 1, 64] }),
      embeddings: tensor(itemFactors.data, { shape: itemFactors.shape }),
      embeddingIndex: index,
      features: tensor(models.features.data, { shape: models.features.shape }),
      featureIndex: index,
      layers: arch.layers.map(({ weight, bias }) => ({ weight, bias })),
    });
    expect(y.shape).toEqual([users.length, m, 2]);
    expectClose((y as Tensor<'float32'>).view(), logits, { absolute: 1e-4 });
  });
});

const some = cases.find(({ name }) => name.includes('int8')) as (typeof cases)[number];

forEachLevel(() => {
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
  const { user, embeddings, embeddingIndex, features, layers, embeddingScales } = some.input();
  const [first, ...others] = layers as [Input['layers'][number], ...Input['layers']];
  await wrong('UNSUPPORTED_DTYPE', { user: embeddings });
  await wrong('SHAPE_MISMATCH', { user: user.reshape([6, 9]) });
  await wrong('SHAPE_MISMATCH', { user: user.reshape([6, 1, 9]) });
  await wrong('UNSUPPORTED_DTYPE', { embeddings: tensor(new Uint8Array(40 * 32), { shape: [40, 32] }) });
  await wrong('UNSUPPORTED_DTYPE', {
    embeddings: tensor(new Uint16Array(40 * 9), { dtype: 'bfloat16', shape: [40, 9] }),
  });
  await wrong('SHAPE_MISMATCH', { embeddings: embeddings.reshape([160, 8]) });
  await wrong('SHAPE_MISMATCH', { embeddingScales: tensor([1, 2]) });
  await wrong('INVALID_ARGUMENT', { embeddingScales: undefined });
  await wrong('INVALID_ARGUMENT', { embeddings: tensor(new Float32Array(360), { shape: [40, 9] }), embeddingScales });
  await wrong('SHAPE_MISMATCH', {
    embeddings: tensor(new Float32Array(400), { shape: [40, 10] }),
    embeddingScales: undefined,
  });
  await wrong('UNSUPPORTED_DTYPE', { embeddingIndex: features as never });
  await wrong('SHAPE_MISMATCH', { embeddingIndex: embeddingIndex.reshape([7, 3]) as Tensor<'int32'> });
  await wrong('INVALID_ARGUMENT', { features: undefined });
  await wrong('INVALID_ARGUMENT', { featureIndex: undefined });
  await wrong('SHAPE_MISMATCH', { featureIndex: tensor(new Int32Array(3), { shape: [3, 1] }) });
  await wrong('SHAPE_MISMATCH', { features: tensor([1, 2], { shape: [2, 1] }) });
  await wrong('INVALID_ARGUMENT', { layers: [] });
  await wrong('SHAPE_MISMATCH', { layers: others });
  await wrong('SHAPE_MISMATCH', { layers: [first, first] });
  await wrong('SHAPE_MISMATCH', { layers: [{ ...first, bias: tensor([1]) }, ...others] });
  await wrong('UNSUPPORTED_DTYPE', { layers: [{ weight: tensor(new Int8Array(17 * 48), { shape: [17, 48] }) }] });
  await wrong('INVALID_ARGUMENT', { activation: 'swish' as 'silu' });
  const deep = Array.from({ length: 7 }, () => ({ weight: tensor([1], { shape: [1, 1] }) }));
  await wrong('INVALID_ARGUMENT', { layers: deep });
});
