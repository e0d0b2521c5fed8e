import { describe, expect, test } from 'vitest';
import { dataFolder } from '../../lib/data/data_folder.js';
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { buildSafetensorsHeader, type TensorSpec } from '../../lib/snapshot/safetensors.js';
import { readSafetensors } from '../../lib/snapshot/state_dict.js';
import { failure } from '../failure.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

async function write(name: string, tensors: [TensorSpec, ArrayBufferView][]): Promise<string> {
  const { header } = buildSafetensorsHeader(tensors.map(([spec]) => spec));
  const data = tensors.map(([, { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength));
  return folder.write(name, Buffer.concat([header, ...data]));
}

describe('readSafetensors', () => {
  test('copies every dtype out of an unaligned file', async () => {
    const path = await write('all.safetensors', [
      [{ name: 'i8', dtype: 'I8', shape: [3] }, Int8Array.of(-127, 0, 127)],
      [{ name: 'f32', dtype: 'F32', shape: [2, 1] }, Float32Array.of(1.5, NaN)],
      [{ name: 'u8', dtype: 'U8', shape: [1] }, Uint8Array.of(255)],
      [{ name: 'i64', dtype: 'I64', shape: [] }, BigInt64Array.of(-(2n ** 62n))],
      [{ name: 'f16', dtype: 'F16', shape: [1] }, Uint16Array.of(0x3c00)],
      [{ name: 'bf16', dtype: 'BF16', shape: [1] }, Uint16Array.of(0x3f80)],
      [{ name: 'i32', dtype: 'I32', shape: [0, 5] }, new Int32Array(0)],
    ]);
    expect(readSafetensors(path)).toEqual(
      new Map<string, object>([
        ['i8', { dtype: 'int8', shape: [3], data: Int8Array.of(-127, 0, 127) }],
        ['f32', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1.5, NaN) }],
        ['u8', { dtype: 'uint8', shape: [1], data: Uint8Array.of(255) }],
        ['i64', { dtype: 'int64', shape: [], data: BigInt64Array.of(-(2n ** 62n)) }],
        ['f16', { dtype: 'float16', shape: [1], data: Uint16Array.of(0x3c00) }],
        ['bf16', { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x3f80) }],
        ['i32', { dtype: 'int32', shape: [0, 5], data: new Int32Array(0) }],
      ]),
    );
  });

  test('names the tensor whose dtype it does not have', async () => {
    const path = await write('wide.safetensors', [[{ name: 'w', dtype: 'F64', shape: [1] }, Float64Array.of(1)]]);
    expect(failure(() => readSafetensors(path))).toMatchObject({
      code: 'UNSUPPORTED_DTYPE',
      tensor: 'w',
      dtype: 'F64',
    });
  });

  test('names the file that is damaged', async () => {
    for (const content of ['', 'short', '{"not":"safetensors"}', Buffer.from('02000000000000007b7d00', 'hex')]) {
      const path = await folder.write('bad.safetensors', content);
      const expected = { code: 'CORRUPT_FILE', path, message: expect.stringContaining(path) };
      expect(failure(() => readSafetensors(path))).toMatchObject(expected);
    }
    expect(failure(() => readSafetensors(folder.path('none'))).code).toBe('IO_ERROR');
    expect(failure(() => readSafetensors(folder.path('.'))).code).toBe('IO_ERROR');
  });

  test.skipIf(!dataFolder())('opens what PyTorch wrote', async () => {
    const { models } = await loadGoodbooks();
    const overarch = readSafetensors(models.overarchPath);
    expect(overarch.get('layers.0.weight')).toMatchObject({ dtype: 'float32', shape: [128, 203] });
    expect([...overarch.keys()].sort()).toEqual(
      [0, 1, 2].flatMap((layer) => [`layers.${layer}.bias`, `layers.${layer}.weight`]),
    );
    const tower = readSafetensors(models.towerPath);
    expect(tower.get('embedding.weight')?.shape).toEqual([10000, 64]);
  });
});
