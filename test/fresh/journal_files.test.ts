// The files of a journal by themselves: what their records hold, how they grow, and what may have happened to them.
import { link, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { Journal, type JournalRecord } from '../../lib/retrieval/fresh/journal.js';
import type { JournalEntry } from '../../lib/retrieval/fresh/journal_record.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const { path: inFolder } = await tempFolder();
const random = new Random(9);
/** A new file every few records. */
const SMALL = { file: 2000, warning: 2 ** 40 };
let made = 0;
const newPath = () => inFolder(`journal-${made++}`);

/** Entries of every type, with everything that JSON has no form for. */
function entry(i: number, items = 3): JournalEntry {
  const wide = Array.from({ length: items }, (_, item) => 2n ** 62n + BigInt(1000 * i + item));
  const floats = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const column = { name: 'big', kind: 'bigint', integral: true, multi: true } as const;
  const numbers = { name: 'n', kind: 'number', integral: false, multi: false } as const;
  const attributes = [
    { ...column, values: wide.map((id, item) => (item === 1 ? [] : [id, -5n])) },
    { ...numbers, values: wide.map((_, item) => [[Number.POSITIVE_INFINITY], [0.1], [2 ** 60]][item % 3] as number[]) },
    { name: 'é"\n', kind: 'string' as const, integral: true, multi: false, values: wide.map(() => ['\u2028\n"']) },
    { name: 'none', kind: undefined, integral: true, multi: false, values: wide.map(() => []) },
  ];
  const position = [undefined, 7, { sequence: 2n ** 60n + 1n }, null][i % 4];
  switch (i % 4) {
    case 0: {
      const update = { type: 'upsert' as const, ids: wide, embeddings: floats(items * 2), attributes };
      return { update: { ...update, features: new Float32Array(0), bias: floats(items), stored: [] }, position };
    }
    case 1:
      return { update: { type: 'delete', ids: Array.from({ length: items }, (_, item) => `id\n"${item}"`) }, position };
    case 2:
      return { update: { type: 'updateAttributes', ids: wide.map(Number), attributes }, position };
    default:
      return { update: { type: 'updateFeatures', ids: [i], columns: [2, 0], values: floats(2) }, position };
  }
}

async function reopen(path: string, after = 0, sizes = SMALL) {
  const records: JournalRecord[] = [];
  const journal = await Journal.open(path, after, 'never', async (some) => records.push(...some), sizes);
  return { journal, records };
}

async function filled(path: string, entries: readonly JournalEntry[], after = 0): Promise<void> {
  const { journal } = await reopen(path, after);
  for (const each of entries) await journal.append([each]);
  await journal.close();
}

const namesOf = async (path: string) =>
  (await readdir(inFolder('.'))).filter((name) => inFolder(name).startsWith(path)).sort();
const numbered = (entries: readonly JournalEntry[], from = 0) =>
  entries.slice(from).map((each, i) => ({ sequence: from + i + 1, ...each }));

describe('a journal of several files', () => {
  const entries = Array.from({ length: 60 }, (_, i) => entry(i));

  test('gives every record back, from whatever number on', async () => {
    const path = newPath();
    await filled(path, entries);
    expect((await namesOf(path)).length).toBeGreaterThan(4);
    for (const after of [0, 1, 17, 59, 60]) {
      const { journal, records } = await reopen(path, after);
      expect(records).toEqual(numbered(entries, after));
      expect(journal.sequence).toBe(60);
      await journal.close();
    }
  });

  test('is trimmed file by file, and the last one by records', async () => {
    const path = newPath();
    await filled(path, entries);
    const { journal } = await reopen(path);
    let bytes = journal.bytes;
    for (const upTo of [1, 20, 40, 59, 60]) {
      await journal.trim(upTo);
      expect(journal.bytes).toBeLessThanOrEqual(bytes);
      ({ bytes } = journal);
    }
    expect(await namesOf(path)).toHaveLength(1);
    expect((await stat(path)).size).toBe(16);
    await journal.append([entry(60)]);
    await journal.close();
    await expectCode('CORRUPT_FILE', () => reopen(path, 59));
    const again = await reopen(path, 60);
    expect(again.records.map(({ sequence }) => sequence)).toEqual([61]);
    await again.journal.close();
  });

  test('keeps what comes behind the number that it is trimmed to', async () => {
    const path = newPath();
    await filled(path, entries);
    const { journal } = await reopen(path);
    for (const upTo of [33, 58]) await journal.trim(upTo);
    await journal.close();
    const again = await reopen(path, 58);
    expect(again.records).toEqual(numbered(entries, 58));
    await again.journal.close();
  });

  test('a crash while a new file is begun loses and doubles nothing', async () => {
    const path = newPath();
    await filled(path, entries.slice(0, 20));
    const bytes = await readFile(path);
    const before = Number(bytes.readBigUInt64LE(8));
    await link(path, `${path}.${String(before).padStart(16, '0')}`);
    await writeFile(`${path}.next`, 'half of a new fi');
    const names = await namesOf(path);
    const { journal, records } = await reopen(path);
    expect(records).toEqual(numbered(entries.slice(0, 20)));
    expect((await namesOf(path)).length).toBe(names.length - 1);
    for (const each of entries.slice(20)) await journal.append([each]);
    await journal.close();
    const again = await reopen(path);
    expect(again.records).toEqual(numbered(entries));
    await again.journal.close();
    await rm(path);
    const withoutLast = await reopen(path);
    expect(withoutLast.records.length).toBe(withoutLast.journal.sequence);
    await withoutLast.journal.close();
  });

  test('is refused where a file is missing or damaged, also at its end', async () => {
    const path = newPath();
    await filled(path, entries);
    const second = inFolder((await namesOf(path))[2] as string);
    const bytes = await readFile(second);
    const damages = [
      () => truncate(second, bytes.length - 1),
      () => writeFile(second, Buffer.concat([bytes, Buffer.of(1)])),
      () => writeFile(second, bytes.fill(0x55, 40, 60)),
      () => rm(second),
    ];
    for (const damage of damages) {
      await damage();
      await expectCode('CORRUPT_FILE', () => reopen(path));
    }
    const { journal, records } = await reopen(path, 59);
    expect(records).toEqual(numbered(entries, 59));
    await journal.close();
  });

  test('warns once when it has become large', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const path = newPath();
    const { journal } = await reopen(path, 0, { file: 2000, warning: 4000 });
    for (const each of entries) await journal.append([each]);
    await journal.close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toMatchObject([{ code: 'SILVERLODE_LARGE_JOURNAL', message: expect.stringContaining(path) }]);
  });
});

test('large records are handed on a few at a time', async () => {
  const path = newPath();
  const count = 20;
  const large = (i: number): JournalEntry => {
    const values = new Float32Array(2 ** 20).fill(i);
    return { update: { type: 'updateFeatures', ids: [i], columns: [0], values }, position: undefined };
  };
  const { journal } = await reopen(path, 0, { file: 2 ** 25, warning: 2 ** 40 });
  for (let i = 0; i < count; i++) await journal.append([large(i)]);
  await journal.close();
  const groups: number[] = [];
  const replay = async (records: readonly JournalRecord[]) => groups.push(records.length);
  await (await Journal.open(path, 0, 'never', replay)).close();
  expect(groups.reduce((sum, each) => sum + each)).toBe(count);
  expect(Math.max(...groups) * 2 ** 22).toBeLessThanOrEqual(2 ** 26 + 2 ** 22);
});

test('many items in one update, more than one piece', async () => {
  const path = newPath();
  await filled(path, [entry(0, 5000), entry(2, 5000)]);
  const again = await reopen(path);
  expect(again.records.map(({ update }) => update.ids.length)).toEqual([5000, 5000]);
  expect(again.records.every(({ update }) => update.ids.length === update.ids.filter((id) => id).length)).toBe(true);
  await again.journal.close();
});

test('any program can read it: the layout, by hand', async () => {
  const path = newPath();
  const { update, position } = entry(2);
  await filled(path, [{ update: { type: 'delete', ids: [1n] }, position: 3 }, entry(3), { update, position }]);
  const bytes = await readFile(path);
  expect(bytes.toString('latin1', 0, 8)).toBe('SLVJRNL2');
  expect(bytes.readBigUInt64LE(8)).toBe(0n);
  const texts: string[][] = [];
  let rest: Buffer = bytes.subarray(0, 0);
  for (let at = 16; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    expect(bytes.readUInt32LE(at + 4)).toBe(crc32(bytes.subarray(at + 8, at + 16 + length)));
    expect(bytes.readBigUInt64LE(at + 8)).toBe(BigInt(texts.length + 1));
    const payload = bytes.subarray(at + 16, at + 16 + length);
    const textEnd = 4 + payload.readUInt32LE(0);
    texts.push(payload.toString('utf8', 4, textEnd).trim().split('\n'));
    rest = texts.length === 2 ? payload.subarray(textEnd) : rest;
    at += 16 + length;
  }
  expect(JSON.parse(texts[0]?.[0] ?? '')).toMatchObject({ type: 'delete', items: 1, position: 3, ids: 'bigint' });
  expect(JSON.parse(texts[0]?.[1] ?? '')).toEqual({ ids: ['1'], values: [] });
  expect(JSON.parse(texts[1]?.[0] ?? '')).toMatchObject({ columns: [2, 0], arrays: { values: 2 } });
  expect(rest.length).toBe(8);
  const { fields } = JSON.parse(texts[2]?.[0] ?? '');
  expect(fields[0]).toEqual({ name: 'big', kind: 'bigint', integral: true, multi: true });
  expect(JSON.parse(texts[2]?.[1] ?? '').values[1]).toEqual([['Infinity'], [0.1], [2 ** 60]]);
});

test('journals of the older format are refused with advice', async () => {
  const path = newPath();
  await writeFile(path, Buffer.concat([Buffer.from('SLVJRNL1'), Buffer.alloc(8)]));
  await expectCode('UNSUPPORTED_VERSION', () => reopen(path));
  await expect(reopen(path)).rejects.toThrow(/save the model and delete the journal/);
});
