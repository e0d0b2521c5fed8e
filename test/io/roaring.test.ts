// Bitmaps that pyroaring 1.2.0 wrote (`BitMap(numbers).serialize()`, two of them after `run_optimize()`), deflated.
import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { readRoaring } from '../../lib/io/roaring.js';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const BITMAPS: readonly [string, string, readonly number[]][] = [
  ['a few', 'eNqzMmBgYGYAAUYgZGD4/5+BQQFIqwCxGliUlWFB2///AE28BgI=', [1, 5, 100_000, 4_294_967_295]],
  ['none', 'eNqzMmAAAwADKABr', []],
  [
    'a dense container',
    'eNrtxFENABAUQNGngT8FBPCtgTS6SIxNCds5u7u9RaS4ZsnnY1VJkqRPCwAAAAAA4NkgWOwy',
    range(0, 6000).map((i) => 3 * i),
  ],
  ['runs', 'eNqzNmBiYGZgqBVmZOAEMRgYGbjAvAJBTgYHXgAlnQKB', [...range(10, 5000), ...range(70_000, 70_010), 200_000]],
  [
    'runs in many containers',
    'eNolzm9Hg3EUx+Hrd++fGGPEiBERTSwRaRllNFGi3CxRImJExIgYY8QselG9oL2Bna0H1+fZ1zkn7bIuz5I/mVYqmKeiRSrJs4oDpzgP/XAd7sJ9eArJ/1JsV22lVefrLtbNMwrKNlTV1G1q2NK0bceuPfvaDh051ok3zvRcuHTlxq3cwIPHuPDi1dCbdx9GPn0Zm5j6NvPj1xKZUBfo',
    [
      ...range(0, 6).flatMap((key) => range(0, 100 * (key + 1)).map((i) => 65_536 * key + i)),
      ...range(0, 50).map((i) => 7 * 65_536 + 3 * i),
    ],
  ],
];

const bytesOf = (text: string) => new Uint8Array(inflateSync(Buffer.from(text, 'base64')));

describe.each(BITMAPS)('%s', (_, text, numbers) => {
  test('is read', () => {
    expect([...readRoaring(bytesOf(text), 10_000)]).toEqual(numbers);
    // From the middle of a buffer too.
    const padded = new Uint8Array([9, ...bytesOf(text), 9, 9]);
    expect([...readRoaring(padded.subarray(1, -2), 10_000)]).toEqual(numbers);
  });

  test('is refused where it holds more than may be, or is cut off', () => {
    if (numbers.length > 0)
      expect(() => readRoaring(bytesOf(text), numbers.length - 1)).toThrow(
        expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
      );
    const bytes = bytesOf(text);
    const step = Math.max(1, Math.floor(bytes.length / 50));
    for (let length = 0; length < bytes.length; length += step)
      expect(() => readRoaring(bytes.subarray(0, length), 10_000)).toThrow(
        expect.objectContaining({ code: 'CORRUPT_FILE' }),
      );
  });

  test.each([1, 2, 3])('damaged by seed %i, it is refused or ascends', (seed) => {
    const random = new Random(seed);
    for (let round = 0; round < 300; round++) {
      const bytes = bytesOf(text);
      for (let flips = 0; flips < 3; flips++) {
        const at = random.integer(Math.min(bytes.length, 200));
        bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
      }
      try {
        const read = readRoaring(bytes, 10_000);
        expect(read.every((number, i) => i === 0 || number > (read[i - 1] as number))).toBe(true);
      } catch (error) {
        expect(error).toHaveProperty('code', expect.stringMatching(/^(CORRUPT_FILE|LIMIT_EXCEEDED)$/));
      }
    }
  });
});
