import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { readIds, readTable } from '../../lib/io/vectors.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

type Physical = Partial<Pick<SchemaElement, 'type' | 'type_length'>>;
/** How writers store decimals: by precision as integers, as bytes of a fixed length, or as bytes. */
const PHYSICAL: [string, Physical][] = [
  ['int32', { type: 'INT32' }],
  ['int64', { type: 'INT64' }],
  ['fixed', { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16 }],
  ['bytes', { type: 'BYTE_ARRAY' }],
];

/** A file of one column `value` of decimals, given unscaled. */
async function decimals(data: (bigint | null)[], scale: number, physical: Physical): Promise<string> {
  const element = { name: 'value', ...physical, converted_type: 'DECIMAL' as const, precision: 38, scale };
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 1 },
    { ...element, repetition_type: 'OPTIONAL' },
  ];
  const bytes = parquetWriteBuffer({ columnData: [{ name: 'value', data }], schema, rowGroupSize: 700 });
  return folder.write('decimal.parquet', new Uint8Array(bytes));
}

test.each(PHYSICAL)('%s: every price is the number that its digits are', async (_, physical) => {
  const cents = Array.from({ length: 2000 }, (_, i) => 7 * i - 3000);
  const { value } = await readTable(await decimals([...cents.map(BigInt), null], 2, physical));
  const text = (cent: number) =>
    `${cent < 0 ? '-' : ''}${Math.floor(Math.abs(cent) / 100)}.${String(Math.abs(cent) % 100).padStart(2, '0')}`;
  expect(value).toEqual([...cents.map((cent) => Number(text(cent)) + 0), null]);
});

test.each(PHYSICAL.slice(1))('%s: wide ones are rounded once, integers not at all', async (_, physical) => {
  const wide = [1234567890123456792n, -1234567890123456792n, 9007199254740993n, null];
  const { value } = await readTable(await decimals(wide, 2, physical));
  const nearest = ['12345678901234567.92', '-12345678901234567.92', '90071992547409.93'].map(Number);
  expect(value).toEqual([...nearest, null]);
  expect(await readTable(await decimals(wide, 0, physical))).toEqual({ value: wide });
  expect(await readIds(await decimals(wide.slice(0, 3), 0, physical), { column: 'value' })).toEqual(wide.slice(0, 3));
  expect(await readTable(await decimals([5n, null, -7n], 0, physical))).toEqual({ value: [5, null, -7] });
});

test('lists of decimals', async () => {
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 1 },
    { name: 'value', num_children: 1, repetition_type: 'OPTIONAL', converted_type: 'LIST' },
    { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
    { name: 'element', type: 'INT64', repetition_type: 'OPTIONAL', converted_type: 'DECIMAL', precision: 18, scale: 1 },
  ];
  const data = [[11n, 3n], null, [], [-7n]];
  const bytes = parquetWriteBuffer({ columnData: [{ name: 'value', data }], schema });
  const { value } = await readTable(await folder.write('lists.parquet', new Uint8Array(bytes)));
  expect(value).toEqual([[1.1, 0.3], null, [], [-0.7]]);
});
