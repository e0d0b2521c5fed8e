import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/gather_rows.js';
import { gatherRows } from '../reference/gather_rows.js';
import { checkCases, expectCode, expectFault } from '../support/ops.js';

checkCases(cases, run, gatherRows);

test('shapes', async () => {
  const table = tensor([1, 2, 3, 4, 5, 6, 7, 8], { shape: [2, 2, 2] });
  const index = tensor([1, 0, -1], { dtype: 'int32', shape: [3, 1] });
  const rows = await ops.gatherRows(table, index);
  expect(rows.shape).toEqual([3, 1, 2, 2]);
  expect([...rows.view()]).toEqual([5, 6, 7, 8, 1, 2, 3, 4, 0, 0, 0, 0]);
  const batched = await ops
    .gatherRows(table, index.reshape([3]).reshape([1, 3]), { batchDims: 1 })
    .catch((e) => e.code);
  expect(batched).toBe('SHAPE_MISMATCH');
  const own = await ops.gatherRows(table, tensor([1, 0], { dtype: 'int32', shape: [2, 1] }), { batchDims: 1 });
  expect([...own.view()]).toEqual([3, 4, 5, 6]);
  expect((await ops.gatherRows(table, tensor([1], { dtype: 'int32', shape: [] }))).shape).toEqual([2, 2]);
});

test('an index beyond the table is named', async () => {
  const table = tensor([1, 2, 3]);
  for (const bad of [3, 4, 2 ** 31 - 1]) {
    const wrong = () => ops.gatherRows(table, tensor([0, -5, bad, 9], { dtype: 'int32' }));
    await expectFault('gather_rows', `index ${bad} at position 2 `, wrong);
  }
});

test('a tail continues the table and must fit it', async () => {
  const table = tensor([1, 2, 3, 4], { shape: [2, 2] });
  const index = tensor([3, 0, -1], { dtype: 'int32' });
  const tail = tensor([5, 6, 7, 8], { shape: [2, 2] });
  expect([...(await ops.gatherRows(table, index, { tail })).view()]).toEqual([7, 8, 1, 2, 0, 0]);
  const beyond = () => ops.gatherRows(table, tensor([4], { dtype: 'int32' }), { tail });
  await expectFault('gather_rows', 'index 4 at position 0 is outside a table of 4 rows', beyond);
  await expectCode('SHAPE_MISMATCH', () => ops.gatherRows(table, index, { tail: tail.reshape([4, 1]) }));
  await expectCode('SHAPE_MISMATCH', () => ops.gatherRows(table, index, { tail: tail.reshape([4]) }));
  await expectCode('UNSUPPORTED_DTYPE', () =>
    ops.gatherRows(table, index, { tail: tensor([1, 2], { dtype: 'int32', shape: [1, 2] }) }),
  );
  await expectCode('INVALID_ARGUMENT', () =>
    ops.gatherRows(table.reshape([1, 2, 2]), tensor([0], { dtype: 'int32', shape: [1, 1] }), {
      batchDims: 1,
      tail: tail.reshape([1, 2, 2]),
    }),
  );
});

test('wrong inputs', async () => {
  const table = tensor([1, 2, 3]);
  const index = tensor([0], { dtype: 'int32' });
  await expectCode('UNSUPPORTED_DTYPE', () => ops.gatherRows(table, tensor([0])));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.gatherRows(table, tensor([0n])));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.gatherRows(table, index, { missing: 1 }));
  await expectCode('INVALID_ARGUMENT', () => ops.gatherRows(index, index, { missing: 2 ** 31 }));
  await expectCode('INVALID_ARGUMENT', () => ops.gatherRows(table, index, { batchDims: 2 as 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.gatherRows(table.reshape([]), index));
  await expectCode('SHAPE_MISMATCH', () => ops.gatherRows(table.reshape([3, 1]), index, { batchDims: 1 }));
  await expectCode('SHAPE_MISMATCH', () => ops.gatherRows(table.reshape([3, 1, 1, 1, 1]), index.reshape([1, 1, 1])));
});
