import { describe, expect, test } from 'vitest';
import type { NdArray } from '../../lib/io/nd_array.js';
import { readVecs, writeVecs } from '../../lib/io/vecs.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

describe('readVecs and writeVecs', () => {
  test.each<[string, NdArray]>([
    ['.fvecs', { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, NaN, -0) }],
    ['.ivecs', { dtype: 'int32', shape: [3, 1], data: Int32Array.of(-1, 0, 2147483647) }],
    ['.bvecs', { dtype: 'uint8', shape: [2, 5], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 255) }],
    ['.fbin', { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1.5, -2, 3, 4) }],
    ['.ibin', { dtype: 'int32', shape: [1, 2], data: Int32Array.of(-5, 5) }],
    ['.u8bin', { dtype: 'uint8', shape: [2, 1], data: Uint8Array.of(0, 255) }],
    ['.i8bin', { dtype: 'int8', shape: [0, 7], data: new Int8Array(0) }],
  ])('keep %s', async (extension, array) => {
    const path = folder.path(`keep${extension}`);
    await writeVecs(path, array);
    expect(await readVecs(path)).toEqual(array);
  });

  test('handle files larger than a block', async () => {
    const shape = [3000, 1000];
    const data = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 31) >> 3);
    for (const extension of ['.bvecs', '.u8bin']) {
      await writeVecs(folder.path(`large${extension}`), { dtype: 'uint8', shape, data });
      const read = await readVecs(folder.path(`large${extension}`));
      expect(read.shape).toEqual(shape);
      expect(Buffer.compare(read.data as Uint8Array, data)).toBe(0);
    }
  });

  test('refuse what the format cannot hold', async () => {
    const matrix: NdArray = { dtype: 'int8', shape: [1, 2], data: Int8Array.of(1, 2) };
    await expect(writeVecs('x.fvecs', matrix)).rejects.toMatchObject({ code: 'UNSUPPORTED_DTYPE' });
    await expect(writeVecs('x.i8bin', { ...matrix, shape: [2] })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await expect(writeVecs('x.i8bin', { ...matrix, shape: [3, 2] })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    await expect(writeVecs('x.vec', matrix)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(writeVecs(folder.path('no/x.i8bin'), matrix)).rejects.toMatchObject({ code: 'IO_ERROR' });
  });
});

describe('malformed vector files', () => {
  const row = (dims: number, ...values: number[]): Uint8Array => {
    const bytes = new DataView(new ArrayBuffer(4 + 4 * values.length));
    bytes.setInt32(0, dims, true);
    for (const [index, value] of values.entries()) bytes.setFloat32(4 + 4 * index, value, true);
    return new Uint8Array(bytes.buffer);
  };
  const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

  test.each<[string, Uint8Array, string]>([
    ['empty.fvecs', new Uint8Array(0), 'dimension'],
    ['zero.fvecs', row(0), 'dimension'],
    ['negative.fvecs', row(-2, 1, 2), 'dimension'],
    ['short.fvecs', row(3, 1, 2), 'data'],
    ['cut.fvecs', Buffer.concat([row(2, 1, 2), row(2, 1)]), 'data'],
    ['mixed.fvecs', Buffer.concat([row(2, 1, 2), row(3, 1, 2)]), 'dimension'],
    ['empty.fbin', new Uint8Array(0), 'header'],
    ['cut.fbin', words(2, 2, 1, 1, 1), 'data'],
    ['long.fbin', words(1, 1, 1, 1), 'data'],
    ['huge.fbin', words(0xffffffff, 0xffffffff, 1), 'data'],
  ])('%s', async (name, content, field) => {
    const path = await folder.write(name, content);
    await expect(readVecs(path)).rejects.toMatchObject({ code: 'CORRUPT_FILE', path, field });
  });

  test('a row of another dimension is named', async () => {
    const path = await folder.write('named.fvecs', Buffer.concat([row(1, 1), row(1, 2), row(5, 3)]));
    await expect(readVecs(path)).rejects.toMatchObject({ row: 2 });
  });
});
