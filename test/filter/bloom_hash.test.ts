import { expect, test } from 'vitest';
import { termHash } from '../../lib/filter/bloom_hash.js';
import { float64Key } from '../../lib/filter/numbers.js';

// From another implementation of MurmurHash3_x64_128 (the Python package mmh3), over `${field}\0${value}`.
test.each<[number, string, bigint]>([
  [0, '', 0x604ce301e335655n],
  [0, 'en', 0xb091f91a34b7e33cn],
  [1, 'pop', 0x1a1b297026bfd346n],
  [2, '1990', 0x803748e57363a2a0n],
  [7, 'Größe 東京 🎧', 0xdfeffa16f0796962n],
])('termHash(%i, %j)', (field, value, hash) => {
  expect(termHash(field, value)).toBe(hash);
});

test('every length of the last block', () => {
  const fold = Array.from({ length: 70 }, (_, i) => termHash(300, 'abcdefghij'.repeat(7).slice(0, i)));
  expect(new Set(fold).size).toBe(70);
  expect(fold.reduce((sum, hash) => BigInt.asUintN(64, sum * 31n + hash), 0n)).toBe(0xeb2b1d0503ca746en);
  expect(termHash(0, 'x'.repeat(100_000))).toBe(0x6506230b385e3e8dn);
});

test('values of different fields have different hashes', () => {
  expect(termHash(1, '1')).not.toBe(termHash(11, ''));
  expect(termHash(1, '1')).not.toBe(termHash(2, '1'));
});

test('float64Key orders as the numbers do', () => {
  const ascending = [-Infinity, -1e308, -1, -5e-324, 0, 5e-324, 1e-300, 1, 1 + 2 ** -52, 2, 1e308, Infinity];
  const keys = ascending.map(float64Key);
  expect([...keys].sort((a, b) => (a < b ? -1 : 1))).toEqual(keys);
  expect(float64Key(-0)).toBe(0n);
  expect(float64Key(5e-324)).toBe(1n);
  expect(float64Key(1 + 2 ** -52)).toBe(float64Key(1) + 1n);
  expect(float64Key(-1)).toBe(float64Key(-1 + 2 ** -53) - 1n);
  expect(float64Key(1)).toBe(0x3ff0000000000000n);
  expect(float64Key(-1)).toBe(-0x3ff0000000000001n);
});
