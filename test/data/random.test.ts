import { describe, expect, test } from 'vitest';
import { Random, zipf } from '../../lib/data/random.js';

describe('Random', () => {
  test('repeats itself for a seed', () => {
    const random = new Random(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([3011021589, 3960382089, 1547270628]);
    expect(new Random(2 ** 40).uint32()).not.toBe(new Random(0).uint32());
  });

  test('normal deviates have the right moments (seed 3)', () => {
    const random = new Random(3);
    const count = 200_000;
    const moments = [0, 0, 0, 0];
    for (let draw = 0; draw < count; draw++) {
      const value = random.normal();
      for (const power of moments.keys()) moments[power] = (moments[power] as number) + value ** (power + 1) / count;
    }
    expect(moments[0]).toBeCloseTo(0, 1.5);
    expect(moments[1]).toBeCloseTo(1, 1.5);
    expect(moments[2]).toBeCloseTo(0, 1);
    expect(moments[3]).toBeCloseTo(3, 0.9);
  });

  test('integers and shuffles reach everything (seed 4)', () => {
    const random = new Random(4);
    const seen = new Set(Array.from({ length: 200 }, () => random.integer(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const orders = new Set(Array.from({ length: 300 }, () => random.shuffle(['a', 'b', 'c']).join('')));
    expect(orders.size).toBe(6);
  });

  test('zipf draws rank r about 1 / (r + 1) as often as rank 0 (seed 5)', () => {
    const draw = zipf(new Random(5), 50);
    const counts = new Array<number>(50).fill(0);
    for (let count = 0; count < 100_000; count++) {
      const rank = draw();
      counts[rank] = (counts[rank] as number) + 1;
    }
    const [first = 0, second = 0, , , fifth = 0] = counts;
    expect(first / second).toBeCloseTo(2, 0.7);
    expect(first / fifth).toBeCloseTo(5, 0);
    expect(counts.every((count) => count > 0)).toBe(true);
    expect(zipf(new Random(5), 1)()).toBe(0);
  });
});
