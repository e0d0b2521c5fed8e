import { describe, expect, test } from 'vitest';
import { holdsWideIntegers, parseJson, stringifyJson } from '../../lib/io/json.js';

describe('parseJson', () => {
  test('gives integers beyond 2^53 in full, wherever they are', () => {
    const text = '{"a": 9007199254740993,"b":[-9007199254740993 ,{"c":18446744073709551615}],"d":[[9007199254740992]]}';
    expect(parseJson(text)).toEqual({
      a: 9007199254740993n,
      b: [-9007199254740993n, { c: 18446744073709551615n }],
      d: [[9007199254740992n]],
    });
    expect(parseJson('9007199254740993')).toBe(9007199254740993n);
  });

  test.each([
    '[9007199254740991, -9007199254740991, 0.12345678901234567, 12345678901234567.5, 1234567890123456e3, 1e300, -0]',
    '{"9007199254740993": "9007199254740993", "x\\\\": "\\"9007199254740993", "y": "\\\\\\"9007199254740993\\\\"}',
    '["1:9007199254740993", ":9007199254740993,", "\\u0022 9007199254740993"]',
    '{"__proto__": 1, "constructor": [null, true]}',
  ])('leaves all else as it is: %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
    expect(parseJson(`[${text}, 9007199254740993]`)).toEqual([JSON.parse(text), 9007199254740993n]);
  });

  test('refuses what is no JSON, and numbers without end', () => {
    for (const text of ['', '[9007199254740993', '{9007199254740993:1}', '09007199254740993', '"9007199254740993'])
      expect(() => parseJson(text), text).toThrow(SyntaxError);
    expect(() => parseJson('9'.repeat(1_000_000))).toThrow('an integer of 1000000 digits');
  });

  test('looks at digits only where there are many in a row', () => {
    expect(holdsWideIntegers(JSON.stringify([0.1234567890123456, 123456789012345, 'abc']))).toBe(false);
  });
});

test('stringifyJson writes bigints as integers', () => {
  const value = { a: [2n ** 63n, -(2n ** 63n), 1], b: '9007199254740993', c: null };
  expect(stringifyJson(value)).toBe(
    '{"a":[9223372036854775808,-9223372036854775808,1],"b":"9007199254740993","c":null}',
  );
  expect(parseJson(stringifyJson(value))).toEqual(value);
});
