import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, run } from '../cases/embedding_bag.js';
import { embeddingBag } from '../reference/embedding_bag.js';
import { checkClose } from '../support/close.js';
import { expectCode, expectFault, forEachLevel } from '../support/ops.js';

checkClose(cases, run, embeddingBag);

const table = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
const int32 = (...values: number[]) => tensor(Int32Array.from(values));

test('bags start where the offsets say, and the last ends with the ids', async () => {
  const y = await ops.embeddingBag(table, int32(0, 1, 2), int32(0, 2, 2));
  expect([y.shape, [...y.view()]]).toEqual([
    [3, 2],
    [4, 6, 0, 0, 5, 6],
  ]);
});

forEachLevel(() => {
  test('an id outside the table is named', async () => {
    for (const bad of [-1, 3, -(2 ** 31), 2 ** 31 - 1]) {
      const wrong = () => ops.embeddingBag(table, int32(0, bad, 1), int32(0));
      await expectFault('embedding_bag', `ids[1] is ${bad}`, wrong);
    }
    const none = tensor(new Float32Array(0), { shape: [0, 2] });
    await expectCode('INVALID_ARGUMENT', () => ops.embeddingBag(none, int32(0), int32(0)));
  });

  test('offsets ascend from 0 to the number of ids', async () => {
    for (const offsets of [[1], [0, 2, 1], [0, -1], [-1], [0, 4], [0, 2 ** 31 - 1]]) {
      await expectCode('INVALID_ARGUMENT', () => ops.embeddingBag(table, int32(0, 1, 2), int32(...offsets)));
    }
    await expectCode('INVALID_ARGUMENT', () => ops.embeddingBag(table, int32(0), int32()));
  });
});

test('wrong inputs', async () => {
  const [ids, offsets] = [int32(0, 1), int32(0)];
  await expectCode('UNSUPPORTED_DTYPE', () =>
    ops.embeddingBag(tensor(new Int8Array(6), { shape: [3, 2] }), ids, offsets),
  );
  await expectCode('UNSUPPORTED_DTYPE', () => ops.embeddingBag(table, tensor([0, 1]), offsets));
  await expectCode('UNSUPPORTED_DTYPE', () => ops.embeddingBag(table, ids, tensor([0n])));
  await expectCode('SHAPE_MISMATCH', () => ops.embeddingBag(table.reshape([6]), ids, offsets));
  await expectCode('SHAPE_MISMATCH', () => ops.embeddingBag(table, ids.reshape([2, 1]), offsets));
  await expectCode('SHAPE_MISMATCH', () => ops.embeddingBag(table, ids, offsets.reshape([1, 1])));
  await expectCode('SHAPE_MISMATCH', () => ops.embeddingBag(table, ids, offsets, { weights: tensor([1]) }));
  await expectCode('INVALID_ARGUMENT', () => ops.embeddingBag(table, ids, offsets, { mode: 'max' as 'sum' }));
});
