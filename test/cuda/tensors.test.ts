import { type DType, ops, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';

const floats = (count: number, seed = 1) => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

describe('a tensor on a GPU', () => {
  test('comes back as it went, for every dtype', async () => {
    const of: [DType, ArrayBufferView][] = [
      ['float32', Float32Array.of(1, -0, Number.NaN, Infinity)],
      ['float16', Uint16Array.of(0x3c00, 0xfc00)],
      ['bfloat16', Uint16Array.of(0x3f80)],
      ['int8', Int8Array.of(-127, 0, 127)],
      ['uint8', Uint8Array.of(0, 255)],
      ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
      ['int64', BigInt64Array.of(-(2n ** 63n), 5n)],
      ['float32', new Float32Array(0)],
    ];
    for (const [dtype, data] of of) {
      const made = tensor(data, { dtype, device: 'cuda' });
      expect([made.device, made.dtype, made.shape]).toEqual(['cuda:0', dtype, [(data as Float32Array).length]]);
      expect(await made.read()).toEqual(data);
      expect((await made.to('cpu')).view()).toEqual(data);
    }
  });

  test('of any size takes the same way through page-locked memory', async () => {
    for (const count of [1, 524_288, 524_289, 3_000_001]) {
      const data = floats(count, count);
      for (const pinned of [false, true]) {
        const there = await tensor(data, { pinned }).to('cuda');
        expect(Buffer.from((await there.read()).buffer).equals(Buffer.from(data.buffer))).toBe(true);
      }
    }
  });

  test('has no view, says so, and is itself where it is already', async () => {
    const made = tensor([1, 2], { device: 'cuda:0' });
    await expectCode('INVALID_ARGUMENT', () => made.view());
    expect(await made.to('cuda')).toBe(made);
    expect(await made.reshape([2, 1]).read()).toEqual(Float32Array.of(1, 2));
  });

  test('is gone after dispose, but not for work in flight', async () => {
    const data = floats(30_000);
    const made = tensor(data, { shape: [100, 300], device: 'cuda' });
    const [normalised, copy] = [ops.l2Normalize(made), made.read()];
    made.dispose();
    expect(await copy).toEqual(data);
    expect(await (await normalised).read()).toEqual(
      (await ops.l2Normalize(tensor(data, { shape: [100, 300] }))).view(),
    );
    await expectCode('DISPOSED', () => made.read());
    await expectCode('DISPOSED', () => ops.l2Normalize(made));
  });

  test('of a device that is not there is refused', async () => {
    for (const device of ['cuda:7', 'cuda:-1', 'tpu']) {
      await expectCode('DEVICE_UNAVAILABLE', () => tensor([1], { device }));
      await expectCode('DEVICE_UNAVAILABLE', () => tensor([1]).to(device));
    }
  });
});

describe('an op', () => {
  const x = floats(64 * 5, 3);

  test('leaves results where its inputs are', async () => {
    const onHost = await ops.l2Normalize(tensor(x, { shape: [64, 5] }));
    const onGpu = await ops.l2Normalize(tensor(x, { shape: [64, 5], device: 'cuda' }));
    expect([onHost.device, onGpu.device]).toEqual(['cpu', 'cuda:0']);
    expect(await onGpu.read()).toEqual(onHost.view());
  });

  test('takes inputs from both, and from another op without a copy', async () => {
    const table = tensor(x, { shape: [64, 5], device: 'cuda' });
    const rows = await ops.gatherRows(table, tensor([3, 0, -1], { dtype: 'int32' }));
    expect(rows.device).toBe('cuda:0');
    const expected = await ops.l2Normalize(
      tensor([...x.subarray(15, 20), ...x.subarray(0, 5), 0, 0, 0, 0, 0], { shape: [3, 5] }),
    );
    expect(await (await ops.l2Normalize(rows)).read()).toEqual(expected.view());
  });

  test('tells of bad data and leaves the device well', async () => {
    const table = tensor(x, { shape: [64, 5], device: 'cuda' });
    const take = (row: number) => ops.gatherRows(table, tensor([row], { dtype: 'int32' }));
    const results = await Promise.allSettled([take(1), take(64), take(2)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'INVALID_ARGUMENT' } });
    expect(await (results[2] as PromiseFulfilledResult<Tensor>).value.read()).toEqual(x.slice(10, 15));
  });
});
