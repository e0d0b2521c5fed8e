import { describe, expect, test } from 'vitest';
import { bestAt, type CurvePoint, median, paretoFront, quantile, speedAt } from '../../bench/peers/curves.js';
import { Random } from '../../lib/data/random.js';

const point = (recall: number, speed: number): CurvePoint => ({ recall, speed });

describe('paretoFront', () => {
  test('drops what another point beats, by rising recall', () => {
    const points = [point(0.9, 100), point(0.95, 50), point(0.94, 40), point(0.99, 10), point(0.85, 90)];
    expect(paretoFront(points)).toEqual([point(0.9, 100), point(0.95, 50), point(0.99, 10)]);
  });

  test.each([1, 2, 3])('agrees with its definition, seed %i', (seed) => {
    const random = new Random(seed);
    const points = Array.from({ length: 60 }, () => point(random.integer(20) / 20, 1 + random.integer(20)));
    const beaten = (a: CurvePoint) =>
      points.some((b) => b.recall >= a.recall && b.speed >= a.speed && (b.recall > a.recall || b.speed > a.speed));
    const expected = new Set(points.filter((each) => !beaten(each)).map(({ recall, speed }) => `${recall} ${speed}`));
    const front = paretoFront(points);
    expect(front.map(({ recall, speed }) => `${recall} ${speed}`).sort()).toEqual([...expected].sort());
    expect(front.map(({ recall }) => recall)).toEqual(front.map(({ recall }) => recall).toSorted((a, b) => a - b));
  });
});

describe('speedAt', () => {
  const points = [point(0.9, 1000), point(0.95, 100), point(0.99, 10)];

  test('is the measured speed at a measured recall', () => {
    for (const { recall, speed } of points) expect(speedAt(points, recall)).toBeCloseTo(speed, 9);
  });

  test('is the geometric mean half way between two points', () => {
    expect(speedAt(points, 0.97)).toBeCloseTo(Math.sqrt(100 * 10), 9);
  });

  test('is the fastest point below the least recall, and none above the highest', () => {
    expect(speedAt(points, 0.5)).toBe(1000);
    expect(speedAt(points, 0.991)).toBeUndefined();
    expect(speedAt([], 0.5)).toBeUndefined();
  });

  test('leaves out points that are beaten', () => {
    expect(speedAt([...points, point(0.93, 5)], 0.93)).toBeGreaterThan(100);
  });
});

test('bestAt names the fastest that reaches the recall', () => {
  const curves = [
    { name: 'quick', points: [point(0.9, 1000)] },
    { name: 'thorough', points: [point(0.99, 50)] },
    { name: 'slow', points: [point(0.99, 20)] },
  ];
  expect(bestAt(curves, 0.9)).toEqual({ name: 'quick', speed: 1000 });
  expect(bestAt(curves, 0.95)).toEqual({ name: 'thorough', speed: 50 });
  expect(bestAt(curves, 0.999)).toBeUndefined();
});

test('median and quantiles', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9, 9);
  expect(median([])).toBeNaN();
});
