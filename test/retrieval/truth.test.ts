import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { type Heads, shareFound, Truth } from '../../lib/index/truth.js';
import type { Vectors } from '../../lib/io/vectors.js';

type Metric = 'ip' | 'cosine' | 'l2';
const METRICS: readonly Metric[] = ['ip', 'cosine', 'l2'];

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, dim) => sum + value * (b[dim] as number), 0);
const length = (a: readonly number[]) => Math.sqrt(dot(a, a));
/** As the metrics are defined, in float64. */
const SCORES: Readonly<Record<Metric, typeof dot>> = {
  ip: dot,
  cosine: (a, b) => (length(a) * length(b) === 0 ? 0 : dot(a, b) / (length(a) * length(b))),
  l2: (a, b) => -a.reduce((sum, value, dim) => sum + (value - (b[dim] as number)) ** 2, 0),
};

const rowOf = ({ data, shape: [, dims] }: Vectors, row: number) => [...data.subarray(row * dims, (row + 1) * dims)];

/** Every row scored and all of them sorted; equal scores by row. */
function slowList(
  rows: Vectors,
  metric: Metric,
  heads: Heads,
  depth: number,
  { bias = [], eligible }: { bias?: readonly number[]; eligible?: Int32Array },
) {
  const among = [...(eligible ?? Array(rows.shape[0]).keys())];
  const score = (row: number) =>
    Math.max(...heads.map((head) => SCORES[metric](rowOf(rows, row), [...head]))) + (bias[row] ?? 0);
  return among
    .map((row) => ({ row, score: score(row) }))
    .sort((a, b) => b.score - a.score || a.row - b.row)
    .slice(0, depth);
}

/** Small integers give equal scores that are exact in every arithmetic; normal numbers give none. */
function randomRows(random: Random, count: number, dims: number, integers: boolean): Vectors {
  const value = () => (integers ? random.integer(5) - 2 : random.normal());
  return { data: Float32Array.from({ length: count * dims }, value), shape: [count, dims] };
}

const randomHeads = (random: Random, count: number, dims: number, integers: boolean): Heads =>
  Array.from({ length: count }, () => randomRows(random, 1, dims, integers).data);

describe.each(METRICS)('true lists, %s', (metric) => {
  test.each([1, 2, 3, 4])('are those of sorting all scores, seed %i', async (seed) => {
    const random = new Random(seed);
    const dims = 1 + random.integer(40);
    const rows = randomRows(random, 200 + random.integer(300), dims, false);
    const queries = Array.from({ length: 5 }, () => randomHeads(random, 1 + random.integer(3), dims, false));
    const eligible = Int32Array.from(Array(rows.shape[0]).keys()).filter(() => random.chance(0.2));
    const bias = Array.from({ length: rows.shape[0] }, () => (random.chance(0.1) ? random.normal() : 0));
    const truth = new Truth(rows, metric, bias);
    for (const [depth, some] of [
      [1, undefined],
      [50, undefined],
      [rows.shape[0] + 3, undefined],
      [50, eligible],
      [10, new Int32Array(0)],
    ] as const) {
      const lists = await truth.lists(queries, { depth, eligible: some });
      for (const [i, heads] of queries.entries()) {
        const wanted = slowList(rows, metric, heads, depth, { bias, eligible: some });
        expect([...(lists[i]?.rows ?? [])]).toEqual(wanted.map(({ row }) => row));
        for (const [place, { score }] of wanted.entries()) expect(lists[i]?.scores[place]).toBeCloseTo(score, 9);
      }
    }
  });

  test('order equal scores, duplicates and zero rows by row', async () => {
    const random = new Random(5);
    const rows = randomRows(random, 300, 4, true);
    for (let row = 0; row < 300; row += 7) rows.data.fill(0, row * 4, (row + 1) * 4);
    for (let row = 1; row < 300; row += 11) rows.data.set([1, 2, 0, -1], row * 4);
    const queries = [...Array.from({ length: 9 }, () => randomHeads(random, 1, 4, true)), [new Float32Array(4)]];
    const lists = await new Truth(rows, metric).lists(queries, { depth: 300 });
    for (const [i, heads] of queries.entries()) {
      const { rows: found, scores } = lists[i] as (typeof lists)[number];
      const score = new Map(slowList(rows, metric, heads, 300, {}).map((entry) => [entry.row, entry.score]));
      expect(new Set(found).size).toBe(300);
      for (const [place, row] of found.entries()) {
        expect(scores[place]).toBeCloseTo(score.get(row) as number, 12);
        if (place > 0 && scores[place] === scores[place - 1]) expect(row).toBeGreaterThan(found[place - 1] as number);
      }
    }
  });

  test('hold where rows share most of what they are, and over several blocks', async () => {
    const random = new Random(6);
    const rows = randomRows(random, 20_000, 8, false);
    for (let at = 0; at < rows.data.length; at++) rows.data[at] = (rows.data[at] as number) / 64 + 30;
    const queries = Array.from({ length: 3 }, () => [randomRows(random, 1, 8, false).data.map((value) => value + 30)]);
    const lists = await new Truth(rows, metric).lists(queries, { depth: 100 });
    for (const [i, heads] of queries.entries()) {
      const wanted = slowList(rows, metric, heads, 100, {}).map(({ score }) => score);
      expect(lists[i]?.scores.length).toBe(100);
      for (const [place, score] of wanted.entries()) expect(lists[i]?.scores[place]).toBeCloseTo(score, 10);
    }
  });
});

test('scores below zero are found like others', async () => {
  const rows: Vectors = { data: new Float32Array([-1, -3, -2]), shape: [3, 1] };
  const [list] = await new Truth(rows, 'ip').lists([[new Float32Array([1])]], { depth: 2 });
  expect([...(list?.rows ?? [])]).toEqual([0, 2]);
  expect([...(list?.scores ?? [])]).toEqual([-1, -2]);
});

test('progress is told, and ends the work where it throws', async () => {
  const rows = randomRows(new Random(7), 20_000, 2, false);
  const told: [number, number][] = [];
  const queries = Array.from({ length: 2 }, () => [new Float32Array([1, 0])]);
  await new Truth(rows, 'ip').lists(queries, { depth: 1, onRows: (done, total) => told.push([done, total]) });
  expect(told[0]).toEqual([0, 40_000]);
  expect(told.every(([done], i) => i === 0 || done > (told[i - 1]?.[0] as number))).toBe(true);
  const stop = () => {
    throw new Error('stop');
  };
  await expect(new Truth(rows, 'ip').lists(queries, { depth: 1, onRows: stop })).rejects.toThrow('stop');
});

describe('shareFound', () => {
  const scores = [5, 4, 3, 3, 3, 1];
  const list = { rows: Int32Array.of(0, 1, 2, 3), scores: Float64Array.of(5, 4, 3, 3) };
  const score = (row: number) => scores[row] as number;

  test('counts any row that scores as much as the last', () => {
    expect(shareFound(list, 4, [0, 1, 4, 3], score)).toBe(1);
    expect(shareFound(list, 4, [0, 1, 5, 3], score)).toBe(0.75);
    expect(shareFound(list, 3, [4, 3, 2], score)).toBe(1);
  });

  test('counts a row once, and only the first that came back', () => {
    expect(shareFound(list, 2, [0, 0, 1], score)).toBe(1);
    expect(shareFound(list, 4, [0, 0, 0, 0], score)).toBe(0.25);
    expect(shareFound(list, 2, [5, 4, 0, 1], score)).toBe(0);
  });

  test('has the length of the true list for its measure, and none of an empty one', () => {
    expect(shareFound(list, 100, [0, 1], score)).toBe(0.5);
    expect(shareFound({ rows: new Int32Array(), scores: new Float64Array() }, 10, [], score)).toBeUndefined();
  });
});
