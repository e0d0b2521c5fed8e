import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/assign_clusters.js';
import { assignClusters } from '../reference/assign_clusters.js';
import { checkCases, expectCode, property } from '../support/ops.js';

checkCases(cases, run, assignClusters);

property('the nearest centroid is the nearest by distance', 20, async (random) => {
  const [n, clusters, dim] = [50, 1 + random.integer(100), 1 + random.integer(20)] as const;
  const rows = Float32Array.from({ length: n * dim }, () => random.normal());
  const centroids = Float32Array.from({ length: clusters * dim }, () => random.normal());
  const assigned = await ops.assignClusters(
    tensor(rows, { shape: [n, dim] }),
    tensor(centroids, { shape: [clusters, dim] }),
  );
  const distance = (row: number, cluster: number) => {
    const c = centroids.subarray(cluster * dim, (cluster + 1) * dim);
    return c.reduce((sum, value, d) => sum + (value - (rows[row * dim + d] as number)) ** 2, 0);
  };
  assigned.clusters.view().forEach((cluster, row) => {
    const least = Math.min(...Array.from({ length: clusters }, (_, other) => distance(row, other)));
    expect(distance(row, cluster)).toBeLessThan(least + 1e-4);
  });
});

test('wrong inputs', async () => {
  const rows = tensor(new Float32Array(6), { shape: [2, 3] });
  const int8 = tensor(new Int8Array(6), { shape: [2, 3] });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.assignClusters(int8, rows));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.assignClusters(rows, int8));
  await expectCode('SHAPE_MISMATCH', () => ops.assignClusters(rows.reshape([6]), rows));
  await expectCode('SHAPE_MISMATCH', () => ops.assignClusters(rows, rows.reshape([6])));
  await expectCode('SHAPE_MISMATCH', () => ops.assignClusters(rows, rows.reshape([3, 2])));
  for (const nearest of [0, -1, 17])
    await expectCode('INVALID_ARGUMENT', () => ops.assignClusters(rows, rows, { nearest }));
});
