import { describe, expect, test } from 'vitest';
import { readCsv } from '../../lib/io/csv.js';
import { readJsonl } from '../../lib/io/jsonl.js';
import { writeNpy } from '../../lib/io/npy.js';
import { readIds, readTable } from '../../lib/io/vectors.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const jsonl = async (text: string | Uint8Array) => readJsonl(await folder.write('a.jsonl', text));
const csv = async (text: string | Uint8Array, listSeparator?: string) =>
  readCsv(await folder.write('a.csv', text), { listSeparator });

describe('readJsonl', () => {
  test('fills missing keys with null and skips blank lines', async () => {
    const table = await jsonl('\uFEFF{"a":1,"b":["x"]}\r\n\n{"b":null,"c":true}\n   \n{"a":2}');
    expect(table).toEqual({ a: [1, null, 2], b: [['x'], null, null], c: [null, true, null] });
  });

  test('splits at line feeds only', async () => {
    expect(await jsonl('{"a":"x\u2028y\u0085z"}\n{"a":"é"}\n')).toEqual({ a: ['x\u2028y\u0085z', 'é'] });
  });

  test('keeps keys that objects inherit elsewhere', async () => {
    const table = await jsonl('{"__proto__":1,"constructor":2}\n{"toString":3}');
    expect(Object.keys(table).sort()).toEqual(['__proto__', 'constructor', 'toString']);
    expect(Object.getOwnPropertyDescriptor(table, '__proto__')?.value).toEqual([1, null]);
  });

  test('reads lines across blocks', async () => {
    const rows = Array.from({ length: 30_000 }, (_, id) => ({ id, text: `line ${id} `.repeat(30) }));
    const table = await jsonl(rows.map((row) => JSON.stringify(row)).join('\n'));
    expect(table).toEqual({ id: rows.map(({ id }) => id), text: rows.map(({ text }) => text) });
  });

  test('keeps integers that float64 cannot hold', async () => {
    const rows = ['{"id":9007199254740992,"l":[1,9007199254740993],"f":9007199254740993,"t":"9007199254740993"}'];
    rows.push('{"id":1,"l":[-9223372036854775808],"f":0.5,"t":null}', '{"id":9007199254740993}');
    expect(await jsonl(rows.join('\n'))).toEqual({
      id: [9007199254740992n, 1n, 9007199254740993n],
      l: [[1n, 9007199254740993n], [-9223372036854775808n], null],
      f: [9007199254740992, 0.5, null],
      t: ['9007199254740993', null, null],
    });
  });

  test('an empty file has no columns', async () => expect(await jsonl('')).toEqual({}));

  test.each([
    ['not JSON', '{"a":1}\n\n{"a":}\n', 3],
    ['cut off', '{"a":1}\n{"a"', 2],
    ['array', '[1]\n', 1],
    ['number', '{"a":1}\n7\n', 2],
    ['null', 'null\n', 1],
  ])('names the line: %s', async (_, text, line) => {
    await expect(jsonl(text)).rejects.toMatchObject({ code: 'CORRUPT_FILE', line, path: folder.path('a.jsonl') });
  });

  test('names the line that is not UTF-8', async () => {
    const text = Buffer.concat([Buffer.from('{"a":1}\n{"a":"'), Buffer.of(0xff), Buffer.from('"}\n')]);
    await expect(jsonl(text)).rejects.toMatchObject({ code: 'CORRUPT_FILE', line: 2 });
  });

  test('refuses an endless line', async () => {
    await expect(jsonl(new Uint8Array(70 << 20).fill(0x20))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('stops when told to', async () => {
    const path = await folder.write('abort.jsonl', '{"a":1}\n');
    await expect(readJsonl(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('readCsv', () => {
  test('types columns by all of their cells', async () => {
    const text = 'n,f,b,s,code,mixed\n1,1.5,true,x,007,1\n-2,,FALSE,"",042,true\n,-1e-3,,z,1,y\n';
    expect(await csv(text)).toEqual({
      n: [1, -2, null],
      f: [1.5, null, -0.001],
      b: [true, false, null],
      s: ['x', null, 'z'],
      code: ['007', '042', '1'],
      mixed: ['1', 'true', 'y'],
    });
  });

  test('keeps integers that float64 cannot hold', async () => {
    expect(await csv('id,mixed\n9007199254740993,9007199254740993\n1,1.5\n')).toEqual({
      id: [9007199254740993n, 1n],
      mixed: [9007199254740992, 1.5],
    });
  });

  test('follows RFC 4180', async () => {
    expect(await csv('\uFEFFa,"b, ""c"""\r\n"x\r\ny"," z "\r\n')).toEqual({ a: ['x\r\ny'], 'b, "c"': [' z '] });
  });

  test('splits lists where a separator is given', async () => {
    const text = 'tags,years,title\npop|rock,1990|2000,a\npop,,b\n,2010,c|d\n';
    expect(await csv(text, '|')).toEqual({
      tags: [['pop', 'rock'], ['pop'], null],
      years: [[1990, 2000], null, [2010]],
      title: [['a'], ['b'], ['c', 'd']],
    });
    expect((await csv(text)).tags).toEqual(['pop|rock', 'pop', null]);
  });

  test('a blank line is no row, except in a file of one column', async () => {
    expect(await csv('a,b\n1,2\n\n3,4\n\n')).toEqual({ a: [1, 3], b: [2, 4] });
    expect(await csv('a\n1\n\n3\n')).toEqual({ a: [1, null, 3] });
  });

  test('a header alone gives empty columns', async () => expect(await csv('a,b\n')).toEqual({ a: [], b: [] }));

  test('tabs in .tsv, other delimiters by option', async () => {
    expect(await readCsv(await folder.write('a.tsv', 'a\tb\n1\tx,y\n'))).toEqual({ a: [1], b: ['x,y'] });
    expect(await readCsv(await folder.write('b.csv', 'a;b\n1;2\n'), { delimiter: ';' })).toEqual({ a: [1], b: [2] });
  });

  test('characters may lie across blocks', async () => {
    const cells = Array.from({ length: 30_000 }, (_, index) => `${'é'.repeat(99)}${'x'.repeat(index % 9)}`);
    expect((await csv(`a\n${cells.join('\n')}\n`)).a).toEqual(cells);
  });

  test.each([
    ['too few cells', 'a,b\n1,2\n3\n', 3],
    ['too many cells', 'a,b\n1,2\n1,2,3\n', 3],
    ['unfinished quote', 'a,b\n1,2\n"x,2\n', undefined],
    ['text after a quote', 'a,b\n1,2\n"x"y,2\n', 3],
    ['a column twice', 'a,a\n1,2\n', 1],
  ])('names the line: %s', async (_, text, line) => {
    await expect(csv(text)).rejects.toMatchObject({ code: 'CORRUPT_FILE', line: line ?? expect.any(Number) });
  });

  test('refuses what is empty or not UTF-8', async () => {
    await expect(csv('')).rejects.toMatchObject({ code: 'CORRUPT_FILE', field: 'header' });
    await expect(csv(Buffer.from('a\ncaf\xe9\n', 'latin1'))).rejects.toMatchObject({
      code: 'CORRUPT_FILE',
      field: 'text',
    });
    await expect(csv(Buffer.from('a\ncaf\xc3', 'latin1'))).rejects.toMatchObject({
      code: 'CORRUPT_FILE',
      field: 'text',
    });
  });
});

describe('readTable and readIds', () => {
  test('choose by extension', async () => {
    expect(await readTable(await folder.write('t.NDJSON', '{"a":1}\n'))).toEqual({ a: [1] });
    expect(await readTable(await folder.write('t.csv', 'a\n1\n'))).toEqual({ a: [1] });
    await expect(readTable('t.xlsx')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('take ids of every accepted type', async () => {
    const table = await folder.write('ids.csv', 'id,n,wide,gap\nx,1,9007199254740993,1\ny,2,2,\n');
    expect(await readIds(table)).toEqual(['x', 'y']);
    expect(await readIds(table, { column: 'n' })).toEqual([1, 2]);
    expect(await readIds(table, { column: 'wide' })).toEqual([9007199254740993n, 2n]);
    expect(await readIds(await folder.write('wide.jsonl', '{"id":9007199254740993}\n{"id":2}'))).toEqual([
      9007199254740993n,
      2n,
    ]);
    await expect(readIds(table, { column: 'gap' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', row: 1 });
    await expect(readIds(table, { column: 'constructor' })).rejects.toMatchObject({ code: 'UNKNOWN_FIELD' });

    const path = folder.path('ids.npy');
    await writeNpy(path, { dtype: 'int64', shape: [2], data: BigInt64Array.of(5n, -6n) });
    expect(await readIds(path)).toEqual(BigInt64Array.of(5n, -6n));
    await writeNpy(path, { dtype: 'uint16', shape: [2], data: Uint16Array.of(5, 6) });
    expect(await readIds(path)).toEqual([5, 6]);
    await writeNpy(path, { dtype: 'float32', shape: [1], data: Float32Array.of(5) });
    await expect(readIds(path)).rejects.toMatchObject({ code: 'UNSUPPORTED_DTYPE' });
    await writeNpy(path, { dtype: 'int32', shape: [1, 1], data: Int32Array.of(5) });
    await expect(readIds(path)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });

  test.each([
    ['mixed types', '{"id":1}\n{"id":"2"}\n', 1],
    ['fractions', '{"id":1.5}\n', 0],
    ['lists', '{"id":[1]}\n', 0],
    ['booleans', '{"id":true}\n', 0],
  ])('refuse %s as ids', async (_, text, row) => {
    const path = await folder.write('ids.jsonl', text);
    await expect(readIds(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', row });
  });
});
