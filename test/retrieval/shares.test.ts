// What a recall target allows to miss: between measured shares by a straight line, beyond measured lengths ever less.
import { expect, test } from 'vitest';
import { missesAllowed, shareFor } from '../../lib/retrieval/recall/shares.js';

const shares = [
  [0.8, 0.25],
  [0.9, 0.15],
  [0.98, 0.03],
] as const;

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
  [10, 0.3],
  [1000, 30],
  [4000, 60],
  [100_000, 300],
])('a list of %i may miss %d', (length, misses) => expect(missesAllowed(length, 0.98, shares)).toBeCloseTo(misses, 9));
