import { ops, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { cases, type Input, run } from '../cases/rescore.js';
import { rescore } from '../reference/rescore.js';
import { checkCases, expectBits, expectCode, expectFault, property } from '../support/ops.js';

checkCases(cases, run, rescore);

const rows = (...values: number[]) => tensor(values, { dtype: 'int32', shape: [1, values.length] });

describe('by hand', () => {
  const users = tensor([0.6, 0.8, -1, 0], { shape: [1, 2, 2] });
  const vectors = tensor([3, 4, -2, 0, 0, 0], { shape: [3, 2] });
  const scores = async (metric: Input['metric']) => {
    const result = await ops.rescore(users, vectors, rows(0, 1, 2, -1, 1), { metric });
    expect(result.shape).toEqual([1, 5]);
    return [...result.view()];
  };

  test('inner product, the best over heads', async () => {
    const product = Math.fround(Math.fround(3 * Math.fround(0.6)) + Math.fround(4 * Math.fround(0.8)));
    expect(await scores('ip')).toEqual([product, 2, 0, -Infinity, 2]);
  });

  test('cosine: 0 for a zero row', async () => {
    expect(await scores('cosine')).toEqual([1, 1, 0, -Infinity, 1]);
  });

  test('negative squared distance', async () => {
    const [first, ...others] = await scores('l2');
    expect(first).toBeCloseTo(-16, 5);
    expect(others).toEqual([-1, -1, -Infinity, -1]);
  });

  test('the metric is an inner product where none is given', async () => {
    expect([...(await ops.rescore(users, vectors, rows(1))).view()]).toEqual([2]);
  });
});

test('cosine knows the direction of rows whose squares float32 cannot hold', async () => {
  const users = tensor([0.6, 0.8], { shape: [1, 1, 2] });
  for (const scale of [1e-30, 1e-15, 1e25, 1e37]) {
    const vectors = tensor([3 * scale, 4 * scale, 4 * scale, -3 * scale], { shape: [2, 2] });
    const [along, across] = (await ops.rescore(users, vectors, rows(0, 1), { metric: 'cosine' })).view();
    expect(along, `${scale}`).toBeCloseTo(1, 6);
    expect(across, `${scale}`).toBeCloseTo(0, 6);
  }
});

test('a score that is NaN counts as -Infinity, and any other head is better', async () => {
  const vectors = tensor([Number.NaN, 1, 3e38, 3e38], { shape: [2, 2] });
  const alone = tensor([1, 1], { shape: [1, 1, 2] });
  const both = tensor([3, -3, 0, 1], { shape: [1, 2, 2] }); // Infinity - Infinity for the second row
  expect([...(await ops.rescore(alone, vectors, rows(0))).view()]).toEqual([-Infinity]);
  expect([...(await ops.rescore(both, vectors, rows(0, 1))).view()]).toEqual([-Infinity, Math.fround(3e38)]);
});

property('a request in a batch scores as it does alone, whatever its neighbours', 10, async (random) => {
  const [batch, heads, m, n, dim] = [1 + random.integer(5), 1 + random.integer(3), 13, 30, 1 + random.integer(200)];
  const metric = random.pick(['ip', 'cosine', 'l2'] as const);
  const users = Float32Array.from({ length: batch * heads * dim }, () => random.normal());
  const index = Int32Array.from({ length: batch * m }, () => random.integer(n + 1) - 1);
  const vectors = tensor(
    Array.from({ length: n * dim }, () => random.normal()),
    { dtype: 'float16', shape: [n, dim] },
  );
  const together = await ops.rescore(
    tensor(users, { shape: [batch, heads, dim] }),
    vectors,
    tensor(index, { shape: [batch, m] }),
    { metric },
  );
  for (let b = 0; b < batch; b++) {
    const user = tensor(users.slice(b * heads * dim, (b + 1) * heads * dim), { shape: [1, heads, dim] });
    const own = tensor(index.slice(b * m, (b + 1) * m), { shape: [1, m] });
    const alone = await ops.rescore(user, vectors, own, { metric });
    expectBits({ scores: alone }, { scores: together.view().slice(b * m, (b + 1) * m) });
  }
});

test('rows out of range are named', async () => {
  const users = tensor([1, 2], { shape: [1, 1, 2] });
  const vectors = tensor([1, 2, 3, 4], { shape: [2, 2] });
  for (const bad of [2, -2, 2 ** 31 - 1, -(2 ** 31)]) {
    const text = `row ${bad} at position 1 is not in [-1, 2)`;
    await expectFault('rescore', text, () => ops.rescore(users, vectors, rows(0, bad, 7)));
  }
});

test('wrong inputs', async () => {
  const users = tensor([1, 2, 3, 4], { shape: [2, 1, 2] });
  const vectors = tensor([1, 2, 3, 4], { shape: [2, 2] });
  const index = tensor([0, 1], { dtype: 'int32', shape: [2, 1] });
  const half = (dtype: 'float16' | 'bfloat16') => tensor([1, 2], { dtype, shape: [1, 2] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rescore(half('float16').reshape([1, 1, 2]) as never, vectors, index));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rescore(users, half('bfloat16'), index));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rescore(users, index, index));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.rescore(users, vectors, tensor([0, 1], { shape: [2, 1] })));
  await expectCode('SHAPE_MISMATCH', () => ops.rescore(users.reshape([2, 2]), vectors, index));
  await expectCode('SHAPE_MISMATCH', () => ops.rescore(users, vectors.reshape([4]), index));
  await expectCode('SHAPE_MISMATCH', () => ops.rescore(users, vectors.reshape([4, 1]), index));
  await expectCode('SHAPE_MISMATCH', () => ops.rescore(users, vectors, index.reshape([2])));
  await expectCode('SHAPE_MISMATCH', () => ops.rescore(users, vectors, index.reshape([1, 2])));
  await expectCode('INVALID_ARGUMENT', () => ops.rescore(users, vectors, index, { metric: 'l1' as 'ip' }));
});
