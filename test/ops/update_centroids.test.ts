import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/update_centroids.js';
import { updateCentroids } from '../reference/update_centroids.js';
import { checkCases, expectCode, property } from '../support/ops.js';

checkCases(cases, run, updateCentroids);

property('the mean of all centroids, weighted by size, is that of the rows', 20, async (random) => {
  const [dim, clusters] = [1 + random.integer(40), 1 + random.integer(20)] as const;
  const n = clusters + random.integer(500); // none is empty
  const data = Float32Array.from({ length: n * dim }, () => random.normal());
  const assigned = Int32Array.from({ length: n }, (_, row) => row % clusters);
  const rows = tensor(data, { shape: [n, dim] });
  const { centroids, sizes } = await ops.updateCentroids(rows, tensor(assigned), { clusters });
  for (let d = 0; d < dim; d++) {
    const sum = data.reduce((total, value, i) => total + (i % dim === d ? value : 0), 0);
    const weighted = sizes
      .view()
      .reduce((total, size, c) => total + size * (centroids.view()[c * dim + d] as number), 0);
    expect(weighted).toBeCloseTo(sum, 3);
  }
});

test('wrong inputs', async () => {
  const rows = tensor(new Float32Array(6), { shape: [2, 3] });
  const update = (ids: number[], clusters = 2, of = rows) =>
    ops.updateCentroids(of, tensor(ids, { dtype: 'int32' }), { clusters });
  await expectCode('INVALID_ARGUMENT', () => update([0, 2]));
  await expectCode('INVALID_ARGUMENT', () => update([0, -1]));
  await expectCode('INVALID_ARGUMENT', () => update([0, 0], 0));
  await expectCode('INVALID_ARGUMENT', () => update([], 2, tensor(new Float32Array(0), { shape: [0, 3] })));
  await expectCode('SHAPE_MISMATCH', () => update([0, 0, 0]));
  await expectCode('SHAPE_MISMATCH', () => update([0, 0], 2, rows.reshape([6])));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.updateCentroids(rows, tensor([0, 1]), { clusters: 2 }));
  const int8 = tensor(new Int8Array(6), { shape: [2, 3] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.updateCentroids(int8, tensor(new Int32Array(2)), { clusters: 2 }));
});
