import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/balance_clusters.js';
import { balanceClusters } from '../reference/balance_clusters.js';
import { checkCases, expectCode, property } from '../support/ops.js';

checkCases(cases, run, balanceClusters);

property('no cluster exceeds the cap, and with room every row gets its first choice', 30, async (random) => {
  const [n, clusters] = [1 + random.integer(400), 2 + random.integer(20)] as const;
  const cap = Math.ceil(n / clusters) + random.integer(5);
  const nearest = Int32Array.from({ length: 2 * n }, () => random.integer(clusters));
  nearest.forEach((id, i) => {
    if (i % 2 === 1 && id === nearest[i - 1]) nearest[i] = -1;
  });
  const scores = Float32Array.from({ length: 2 * n }, (_, i) => -(i % 2) * random.uniform());
  const balance = async (limit: number) => {
    const [ids, values] = [tensor(nearest, { shape: [n, 2] }), tensor(scores, { shape: [n, 2] })];
    return [...(await ops.balanceClusters(ids, values, { clusters, cap: limit })).view()].map(Number);
  };
  const sizes = new Array<number>(clusters).fill(0);
  for (const cluster of await balance(cap)) sizes[cluster] = (sizes[cluster] as number) + 1;
  expect(Math.max(...sizes)).toBeLessThanOrEqual(cap);
  expect(await balance(n)).toEqual([...nearest].filter((_, i) => i % 2 === 0));
});

test('wrong inputs', async () => {
  const nearest = tensor([0, 1, 1, 0], { dtype: 'int32', shape: [2, 2] });
  const scores = tensor([1, 0, 1, 0], { shape: [2, 2] });
  const balance = (ids = nearest, values = scores, clusters = 2, cap = 1) =>
    ops.balanceClusters(ids, values, { clusters, cap });
  expect([...(await balance()).view()]).toEqual([0, 1]);
  await expectCode('INVALID_ARGUMENT', () => balance(tensor([0, 2, 1, 0], { dtype: 'int32', shape: [2, 2] })));
  await expectCode('INVALID_ARGUMENT', () => balance(tensor([0, -2, 1, 0], { dtype: 'int32', shape: [2, 2] })));
  await expectCode('INVALID_ARGUMENT', () => balance(nearest, scores, 0));
  await expectCode('INVALID_ARGUMENT', () => balance(nearest, scores, 2, 0));
  await expectCode('INVALID_ARGUMENT', () => balance(nearest, scores, 1, 1));
  await expectCode('SHAPE_MISMATCH', () => balance(nearest, scores.reshape([4])));
  await expectCode('SHAPE_MISMATCH', () => balance(nearest.reshape([4]), scores.reshape([4])));
  await expectCode('UNSUPPORTED_DTYPE', () => balance(scores as never));
  await expectCode('UNSUPPORTED_DTYPE', () => balance(nearest, nearest as never));
});
