import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { Histogram, quantile } from '../../lib/serve/histogram.js';

test('quantiles are the bounds of their buckets', () => {
  const seed = 4;
  const random = new Random(seed);
  const bounds = [1, 2, 5, 10];
  const histogram = new Histogram(bounds);
  expect(quantile(histogram.data(), 0.5)).toBeNaN();
  const values = Array.from({ length: 500 }, () => 12 * random.uniform() ** 2);
  for (const value of values) histogram.add(value);
  const data = histogram.data();
  expect(data.count).toBe(500);
  expect(data.sum).toBeCloseTo(
    values.reduce((sum, value) => sum + value, 0),
    6,
  );
  values.sort((a, b) => a - b);
  for (const q of [0, 0.1, 0.5, 0.9, 0.99, 1]) {
    const exact = values[Math.max(0, Math.ceil(q * 500) - 1)] as number;
    const bound = bounds.find((each) => exact <= each) ?? Number.POSITIVE_INFINITY;
    expect(quantile(data, q), `q ${q}, seed ${seed}`).toBe(bound);
  }
});
