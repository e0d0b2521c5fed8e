import { readFile } from 'node:fs/promises';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, test } from 'vitest';
import type { NdArray } from '../../lib/io/nd_array.js';
import { writeNpy } from '../../lib/io/npy.js';
import { readParquet, readParquetVectors } from '../../lib/io/parquet.js';
import { writeVecs } from '../../lib/io/vecs.js';
import { readIds, readTable, readVectors } from '../../lib/io/vectors.js';
import { float16 } from '../reference/half.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

async function parquet(
  name: string,
  columnData: Parameters<typeof parquetWriteBuffer>[0]['columnData'],
  rowGroupSize = 2,
) {
  return folder.write(name, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize })));
}

describe('readVectors', () => {
  test.each<[NdArray]>([
    [{ dtype: 'float32', shape: [1, 3], data: Float32Array.of(1, -2, 0.5) }],
    [{ dtype: 'float64', shape: [1, 3], data: Float64Array.of(1, -2, 0.5) }],
    [{ dtype: 'float16', shape: [1, 3], data: Uint16Array.of(0x3c00, 0xc000, 0x3800) }],
  ])('converts $dtype', async (array) => {
    const path = folder.path('a.npy');
    await writeNpy(path, array);
    expect(await readVectors(path)).toEqual({ shape: [1, 3], data: Float32Array.of(1, -2, 0.5) });
  });

  test('converts every half-precision number exactly', async () => {
    const path = folder.path('halves.npy');
    const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, pattern) => pattern);
    await writeNpy(path, { dtype: 'float16', shape: [256, 256], data: patterns });
    expect((await readVectors(path)).data).toEqual(Float32Array.from(patterns, float16));
  });

  test('converts integers', async () => {
    const path = folder.path('a.npy');
    await writeNpy(path, { dtype: 'int64', shape: [1, 2], data: BigInt64Array.of(-3n, 2n ** 60n) });
    expect((await readVectors(path)).data).toEqual(Float32Array.of(-3, 2 ** 60));
    await writeVecs(folder.path('a.u8bin'), { dtype: 'uint8', shape: [2, 1], data: Uint8Array.of(7, 255) });
    expect(await readVectors(folder.path('a.u8bin'))).toEqual({ shape: [2, 1], data: Float32Array.of(7, 255) });
  });

  test('refuses anything but a matrix', async () => {
    const path = folder.path('flat.npy');
    await writeNpy(path, { dtype: 'float32', shape: [3], data: new Float32Array(3) });
    await expect(readVectors(path)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', shape: [3] });
    await expect(readVectors('a.txt')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('Parquet', () => {
  const columns: Parameters<typeof parquetWriteBuffer>[0]['columnData'] = [
    { name: 'id', data: [1n, 2n, 3n], type: 'INT64' },
    { name: 'wide', data: [2n ** 60n, 2n, 3n], type: 'INT64' },
    { name: 'title', data: ['a', null, 'ç'], type: 'STRING', nullable: true },
    { name: 'price', data: [1.5, 2.5, 3.5], type: 'DOUBLE' },
    { name: 'ok', data: [true, false, true], type: 'BOOLEAN' },
    { name: 'day', data: [new Date(0), new Date(1000), new Date(2000)], type: 'TIMESTAMP' },
  ];

  test('gives plain columns over all row groups', async () => {
    const path = await parquet('plain.parquet', columns);
    expect(await readTable(path)).toEqual({
      id: [1, 2, 3],
      wide: [2n ** 60n, 2n, 3n],
      title: ['a', null, 'ç'],
      price: [1.5, 2.5, 3.5],
      ok: [true, false, true],
      day: [0, 1000, 2000],
    });
    expect(await readParquet(path, { columns: ['ok'] })).toEqual({ ok: [true, false, true] });
    expect(await readIds(path)).toEqual([1, 2, 3]);
    await expect(readParquet(path, { columns: ['no'] })).rejects.toMatchObject({ code: 'UNKNOWN_FIELD', field: 'no' });
  });

  const list = (name: string) => [
    { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', type: 'FLOAT' },
  ];
  async function vectors(name: string, rows: (number | null)[][]): Promise<string> {
    const schema = [{ name: 'root', num_children: 1 }, ...list('embedding')] as never;
    const content = parquetWriteBuffer({ columnData: [{ name: 'embedding', data: rows }], schema, rowGroupSize: 2 });
    return folder.write(name, new Uint8Array(content));
  }

  test('finds the one column of vectors', async () => {
    const path = await vectors('vectors.parquet', [
      [1, 2],
      [3, 4],
      [5, -0.5],
    ]);
    const expected = { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, -0.5) };
    expect(await readVectors(path)).toEqual(expected);
    expect(await readVectors(path, { column: 'embedding' })).toEqual(expected);
  });

  test.each<[string, (number | null)[][]]>([
    ['ragged', [[1, 2], [3, 4], [5]]],
    [
      'holey',
      [
        [1, 2],
        [3, 4],
        [5, null],
      ],
    ],
  ])('names the row of %s vectors', async (name, rows) => {
    const path = await vectors(`${name}.parquet`, rows);
    await expect(readParquetVectors(path)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', row: 2 });
  });

  test('reads halves, doubles and integers', async () => {
    const halves = [1, -2, 0.5, 2 ** -24];
    const kinds: [object, unknown[], number[]][] = [
      [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } }, halves, halves],
      [{ type: 'DOUBLE' }, [0.1, 2, 3, 4], [Math.fround(0.1), 2, 3, 4]],
      [{ type: 'INT32' }, [1, -2, 3, 4], [1, -2, 3, 4]],
      [{ type: 'INT64' }, [1n, -2n, 3n, 2n ** 60n], [1, -2, 3, 2 ** 60]],
    ];
    for (const [i, [element, [a, b, c, d], expected]] of kinds.entries()) {
      const schema = [{ name: 'root', num_children: 1 }, ...list('embedding')] as Record<string, unknown>[];
      schema[schema.length - 1] = { ...schema.at(-1), ...element };
      const data = [
        [a, b],
        [c, d],
      ];
      const content = parquetWriteBuffer({ columnData: [{ name: 'embedding', data }], schema: schema as never });
      const path = await folder.write(`kind-${i}.parquet`, new Uint8Array(content));
      const column = i < 2 ? undefined : 'embedding';
      expect(await readVectors(path, { column })).toEqual({ shape: [2, 2], data: Float32Array.from(expected) });
    }
  });

  test('many rows, repeated values, several pages', async () => {
    const rows = Array.from({ length: 3000 }, (_, row) => Array.from({ length: 40 }, (_, i) => (row * i) % 7));
    const schema = [{ name: 'root', num_children: 1 }, ...list('embedding')] as never;
    const columnData = [{ name: 'embedding', data: rows }];
    const content = parquetWriteBuffer({ columnData, schema, rowGroupSize: 1700, pageSize: 10_000 });
    const path = await folder.write('many.parquet', new Uint8Array(content));
    expect(await readVectors(path)).toEqual({ shape: [3000, 40], data: Float32Array.from(rows.flat()) });
  });

  test('refuses bytes that are no text instead of replacing them', async () => {
    const data = [Uint8Array.of(0x61), Uint8Array.of(0xff, 0x30), Uint8Array.of(0xfe, 0x30)];
    const path = await parquet('bytes.parquet', [{ name: 'key', data, type: 'BYTE_ARRAY' }]);
    await expect(readTable(path)).rejects.toMatchObject({ code: 'CORRUPT_FILE', field: 'text' });
    const texts = await parquet('texts.parquet', [{ name: 'key', data: data.slice(0, 1), type: 'BYTE_ARRAY' }]);
    expect(await readTable(texts)).toEqual({ key: ['a'] });
  });

  test('asks which column where that is not clear', async () => {
    const path = await parquet('plain.parquet', columns);
    await expect(readVectors(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(readVectors(path, { column: 'price' })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', row: 0 });
  });

  test('refuses what is no Parquet file', async () => {
    const whole = await readFile(await parquet('plain.parquet', columns));
    for (const content of ['', 'nothing of the kind', whole.subarray(0, whole.length - 9), whole.subarray(9)]) {
      const path = await folder.write('broken.parquet', content);
      await expect(readTable(path)).rejects.toMatchObject({ code: 'CORRUPT_FILE', path });
    }
    await expect(readTable(folder.path('none.parquet'))).rejects.toMatchObject({ code: 'IO_ERROR' });
    const aborted = readParquet(folder.path('plain.parquet'), { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
