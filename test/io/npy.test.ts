import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { NdArray } from '../../lib/io/nd_array.js';
import { readNpy, readNpyOf, writeNpy } from '../../lib/io/npy.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

const ARRAYS: NdArray[] = [
  { dtype: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x7e00) },
  { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, -2.5, 3, NaN, Infinity, -0) },
  { dtype: 'float64', shape: [], data: Float64Array.of(Math.PI) },
  { dtype: 'int8', shape: [2, 1, 2], data: Int8Array.of(-128, 127, 0, 1) },
  { dtype: 'int16', shape: [2], data: Int16Array.of(-32768, 32767) },
  { dtype: 'int32', shape: [0, 4], data: new Int32Array(0) },
  { dtype: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  { dtype: 'uint8', shape: [1], data: Uint8Array.of(255) },
  { dtype: 'uint16', shape: [1], data: Uint16Array.of(65535) },
  { dtype: 'uint32', shape: [1], data: Uint32Array.of(4294967295) },
  { dtype: 'uint64', shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  { dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1) },
];

/** A file with the given header text, version and data, as any other writer might make it. */
function npy(header: string, data: Uint8Array, major = 1): Buffer {
  const length = Buffer.alloc(major === 1 ? 2 : 4);
  if (major === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([
    Buffer.from(`\x93NUMPY${String.fromCharCode(major)}\0`, 'latin1'),
    length,
    Buffer.from(header),
    data,
  ]);
}

describe('readNpy and writeNpy', () => {
  test.each(ARRAYS)('keep $dtype $shape', async (array) => {
    const path = folder.path(`${array.dtype}.npy`);
    await writeNpy(path, array);
    expect(await readNpy(path)).toEqual(array);
    const bytes = await readFile(path);
    expect(bytes.readUInt16LE(8) + 10).toSatisfy((dataBegin: number) => dataBegin % 64 === 0);
  });

  test.each([1, 2, 3])('read version %i, any key order and spacing', async (major) => {
    const header = `{ 'shape' : (2 ,2), 'fortran_order':False,'descr': '<i4'}  \n`;
    const path = await folder.write('other.npy', npy(header, new Uint8Array(Int32Array.of(1, 2, 3, 4).buffer), major));
    expect(await readNpy(path)).toEqual({ dtype: 'int32', shape: [2, 2], data: Int32Array.of(1, 2, 3, 4) });
  });

  test.each(ARRAYS)('read $dtype $shape with its bytes the other way round', async (array) => {
    const path = folder.path('big_endian.npy');
    await writeNpy(path, array);
    const bytes = await readFile(path);
    const begin = bytes.length - array.data.byteLength;
    const width = array.data.BYTES_PER_ELEMENT;
    for (let at = begin; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
    bytes[bytes.indexOf("'descr': '") + 10] = '>'.charCodeAt(0);
    await folder.write('big_endian.npy', bytes);
    expect(await readNpy(path)).toEqual(array);
  });

  test.each([[[2, 3]], [[3, 2, 4]], [[5]], [[]], [[0, 3]], [[1, 7]]])(
    'read shape %j in Fortran order',
    async (shape) => {
      const count = shape.reduce((product, size) => product * size, 1);
      // Value by index: 100 a + 10 b + c, laid out with the first index running fastest.
      const valueAt = (index: readonly number[]) => index.reduce((value, i) => 10 * value + i, 0);
      const indices = (order: readonly number[]) =>
        Array.from({ length: count }, (_, at) => {
          const index: number[] = [];
          let rest = at;
          for (const axis of order) {
            index[axis] = rest % (shape[axis] as number);
            rest = Math.floor(rest / (shape[axis] as number));
          }
          return index;
        });
      const axes = shape.map((_, axis) => axis);
      const stored = Float64Array.from(indices(axes), valueAt);
      const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
      const header = `{'descr': '<f8', 'fortran_order': True, 'shape': ${tuple}, }\n`;
      const path = await folder.write('fortran.npy', npy(header, new Uint8Array(stored.buffer)));
      const expected = Float64Array.from(indices(axes.toReversed()), valueAt);
      expect(await readNpy(path)).toEqual({ dtype: 'float64', shape, data: expected });
    },
  );

  test('report progress up to the size of the file and stop when told to', async () => {
    const path = folder.path('large.npy');
    await writeNpy(path, { dtype: 'uint8', shape: [9_000_000], data: new Uint8Array(9_000_000) });
    const seen: number[] = [];
    await readNpy(path, { onProgress: (done, total) => seen.push(done / total) });
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);

    const controller = new AbortController();
    const reading = readNpy(path, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(reading).rejects.toMatchObject({ name: 'SilverlodeError', code: 'ABORTED', path });
  });

  test('refuse a shape that does not describe the data', async () => {
    const array: NdArray = { dtype: 'int8', shape: [2, 2], data: new Int8Array(3) };
    await expect(writeNpy(folder.path('wrong.npy'), array)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });

  test('refuse another dtype where one is required', async () => {
    const path = folder.path('typed.npy');
    await writeNpy(path, { dtype: 'int8', shape: [1], data: Int8Array.of(1) });
    expect((await readNpyOf(path, 'int8')).data).toEqual(Int8Array.of(1));
    await expect(readNpyOf(path, 'int32')).rejects.toMatchObject({ code: 'UNSUPPORTED_DTYPE' });
  });
});

describe('malformed .npy files', () => {
  const good = `{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n`;
  const data = Uint8Array.of(1, 2);
  const header = (from: string, to: string): Buffer => npy(good.replace(from, to), data);

  test.each<[string, Uint8Array, string, string?]>([
    ['empty file', new Uint8Array(0), 'CORRUPT_FILE', 'magic'],
    ['no magic', Buffer.from('PK\x03\x04 something else'), 'CORRUPT_FILE', 'magic'],
    ['magic alone', npy(good, data).subarray(0, 8), 'CORRUPT_FILE', 'header'],
    ['cut in the header', npy(good, data).subarray(0, 30), 'CORRUPT_FILE', 'header length'],
    ['cut in the data', npy(good, data.subarray(1)), 'CORRUPT_FILE', 'data'],
    ['bytes after the data', npy(good, Uint8Array.of(1, 2, 3)), 'CORRUPT_FILE', 'data'],
    ['version 4', npy(good, data, 4), 'UNSUPPORTED_VERSION'],
    ['no dictionary', header('{', '['), 'CORRUPT_FILE', 'header'],
    ['missing key', header(`'fortran_order': False, `, ''), 'CORRUPT_FILE', 'header'],
    ['repeated key', header(`'fortran_order'`, `'descr'`), 'CORRUPT_FILE', 'header'],
    ['text after the dictionary', header('}', '} x'), 'CORRUPT_FILE', 'header'],
    ['number for a shape', header('(2,)', '(2)'), 'CORRUPT_FILE', 'shape'],
    ['huge shape', header('(2,)', '(9007199254740993, 9007199254740993)'), 'CORRUPT_FILE', 'data'],
    ['string for the order', header('False', `'x'`), 'CORRUPT_FILE', 'fortran_order'],
    ['no byte order', header('|u1', 'f4'), 'UNSUPPORTED_DTYPE'],
    ['an unknown byte order', header('|u1', '!f4'), 'UNSUPPORTED_DTYPE'],
    ['text', header('|u1', '<U8'), 'UNSUPPORTED_DTYPE'],
    ['objects', header('|u1', '|O'), 'UNSUPPORTED_DTYPE'],
    ['structure', header(`'|u1'`, `[('a', '<f4')]`), 'UNSUPPORTED_DTYPE'],
  ])('%s', async (name, content, code, field) => {
    const path = await folder.write(`${name}.npy`, content);
    await expect(readNpy(path)).rejects.toMatchObject({ name: 'SilverlodeError', code, path, ...(field && { field }) });
  });

  test('a file that is not there', async () => {
    const path = folder.path('nowhere.npy');
    await expect(readNpy(path)).rejects.toMatchObject({
      code: 'IO_ERROR',
      path,
      message: expect.stringContaining(path),
    });
    await expect(readNpy(folder.path('.'))).rejects.toMatchObject({ code: 'IO_ERROR' });
  });
});
