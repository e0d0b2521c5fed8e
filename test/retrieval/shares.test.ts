// What a recall target allows to miss: between measured shares by a straight line, beyond measured lengths ever less.
import { expect, test } from 'vitest';
import type { Random } from '../../lib/data/random.js';
import { missesAllowed, recallExpected, shareFor } from '../../lib/retrieval/recall/shares.js';
import { property } from '../support/ops.js';

const shares = [
  [0.8, 0.25],
  [0.9, 0.15],
  [0.98, 0.03],
] as const;
/** All of them by a factor. */
const times = (factor: number) => shares.map(([recall, share]) => [recall, share * factor] as const);
const measured = {
  open: [
    [10, shares],
    [100, times(0.5)],
    [1000, times(0.1)],
  ],
  narrowed: times(0.2),
} as const;

test.each([
  [0, 0.25],
  [0.8, 0.25],
  [0.85, 0.2],
  [0.9, 0.15],
  [0.94, 0.09],
  [0.98, 0.03],
  [0.99, 0.015],
  [1, 0],
])('a target of %d allows a share of %d', (target, share) => expect(shareFor(target, shares)).toBeCloseTo(share, 12));

test.each([
  [3, 0.09],
  [10, 0.3],
  [40, 0.6], // as a list of 100
  [100, 1.5],
  [101, 0.303], // as one of 1000
  [1000, 3],
  [4000, 6],
  [100_000, 30],
])('a list of %i may miss %d', (length, misses) =>
  expect(missesAllowed(length, 0.98, measured, false)).toBeCloseTo(misses, 9),
);

test.each([
  [10, 0.06],
  [1000, 6],
  [4000, 12],
])('behind a filter one of %i may miss %d', (length, misses) =>
  expect(missesAllowed(length, 0.98, measured, true)).toBeCloseTo(misses, 9),
);

test('a list beyond all lengths is as deep as one behind a filter', () => {
  const strict = { ...measured, narrowed: times(0.01) };
  expect(missesAllowed(4000, 0.98, strict, false)).toBeCloseTo(0.6, 9);
  expect(missesAllowed(1000, 0.98, strict, false)).toBeCloseTo(3, 9);
});

test.each([
  [0, 1],
  [0.015, 0.99],
  [0.03, 0.98],
  [0.15, 0.9],
  [0.25, 0.8],
  [0.625, 0.4],
  [1, 0],
  [7, 0],
])('who expects to miss %d of a list expects a recall of %d', (share, recall) =>
  expect(recallExpected(10 * share, 10, measured, false)).toBeCloseTo(recall, 12),
);

test('of targets with the same share the highest is expected', () => {
  const open = [[10, [[0.8, 0.2], [0.9, 0.2], [0.99, 0.1]]]] as const; // biome-ignore format: a table
  expect(recallExpected(2, 10, { open, narrowed: shares }, false)).toBe(0.9);
});

property('what is allowed is what is expected', 200, async (random: Random) => {
  const [length, target] = [1 + random.integer(20_000), 0.8 + 0.2 * random.uniform()];
  const narrowed = random.chance(0.5);
  const misses = missesAllowed(length, target, measured, narrowed);
  expect(recallExpected(misses, length, measured, narrowed)).toBeCloseTo(target, 9);
});
