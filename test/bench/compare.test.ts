import { describe, expect, test } from 'vitest';
import { compareRuns, comparisonTable } from '../../bench/support/compare.js';
import type { StoredResult, StoredRun } from '../../bench/support/run_file.js';

const MACHINE = { cpu: 'A', simd: 'avx2', commit: 'abc', 'load before': 1 };

const result = (name: string, medianMs: number, more: Partial<StoredResult> = {}): StoredResult => ({
  suite: 'ops',
  name,
  medianMs,
  spreadMs: 0.1 * medianMs,
  samples: 100,
  figures: {},
  ...more,
});

const run = (results: StoredResult[], machine: StoredRun['machine'] = MACHINE): StoredRun => ({ machine, results });

const verdicts = (base: StoredResult[], now: StoredResult[]) =>
  Object.fromEntries(compareRuns(run(base), run(now)).results.map(({ name, verdict }) => [name, verdict]));

describe('compareRuns', () => {
  test('tells a change from the noise of both runs, in either direction', () => {
    // 5 % and the root of 10 %² + 10 %²: 19.1 %
    const base = ['a', 'b', 'c', 'd'].map((name) => result(name, 10));
    const now = [result('a', 11.9), result('b', 12), result('c', 10 / 1.19), result('d', 10 / 1.2)];
    expect(verdicts(base, now)).toEqual({ 'ops: a': 'same', 'ops: b': 'slower', 'ops: c': 'same', 'ops: d': 'faster' });
    expect(compareRuns(run(base), run(now)).regressed).toBe(true);
    expect(compareRuns(run(base), run([result('d', 1)])).regressed).toBe(false);
  });

  test('takes 5 % for noise even where samples do not vary', () => {
    const steady = (ms: number) => [result('a', ms, { spreadMs: 0 })];
    expect(verdicts(steady(100), steady(104.9))).toEqual({ 'ops: a': 'same' });
    expect(verdicts(steady(100), steady(105.1))).toEqual({ 'ops: a': 'slower' });
  });

  test('does not judge times without a spread, of few samples or of nothing', () => {
    const pairs: [StoredResult, StoredResult][] = [
      [result('a', 1, { spreadMs: undefined }), result('a', 9)],
      [result('a', 1), result('a', 9, { samples: 2 })],
      [result('a', 0, { spreadMs: 0 }), result('a', 9)],
      [result('a', 1), result('a', -1)],
    ];
    for (const [base, now] of pairs) {
      const compared = compareRuns(run([base]), run([now]));
      expect(compared.results).toMatchObject([{ verdict: 'unjudged', baseMs: base.medianMs, ms: now.medianMs }]);
      expect(compared.regressed).toBe(false);
    }
  });

  test('takes lost recall and faults for regressions, whatever the time', () => {
    const withFigures = (figures: Record<string, number>) => [result('a', 1, { figures })];
    const verdictOf = (before: Record<string, number>, after: Record<string, number>) =>
      compareRuns(run(withFigures(before)), run(withFigures(after))).results[0];
    expect(verdictOf({ 'recall@100': 0.99 }, { 'recall@100': 0.98 })).toMatchObject({
      verdict: 'worse',
      reasons: ['recall@100 0.99 → 0.98'],
    });
    expect(verdictOf({ violations: 0 }, { violations: 1 })?.verdict).toBe('worse');
    expect(verdictOf({ missing: 3 }, { missing: 2 })?.verdict).toBe('same');
    expect(verdictOf({ 'recall@100': 0.99 }, { 'recall@100': 0.989 })?.verdict).toBe('same');
    expect(verdictOf({ 'req/s': 100 }, { 'req/s': 1 })?.verdict).toBe('same');
  });

  test('lists what is new and what is missing, what became worse first, and leaves out what was not asked for', () => {
    const base = run([
      result('kept', 1),
      result('gone', 1),
      result('slow', 1),
      { ...result('other', 1), suite: 'ann' },
    ]);
    const now = run([result('kept', 1), result('slow', 9), result('fresh', 1)]);
    const { results, regressed } = compareRuns(base, now, ({ suite }) => suite === 'ops');
    expect(results.map(({ name, verdict }) => `${verdict} ${name}`)).toEqual([
      'slower ops: slow',
      'missing ops: gone',
      'new ops: fresh',
      'same ops: kept',
    ]);
    expect(regressed).toBe(true);
  });

  test('says which facts differ, but for those that are meant to', () => {
    const base = run([], { ...MACHINE, threads: 2 });
    const now = run([], { ...MACHINE, cpu: 'B', commit: 'def', 'load before': 9 });
    expect(compareRuns(base, now).differences).toEqual(['cpu: A → B', 'threads: 2 → not told']);
  });
});

test('the table says loudly what differs and counts verdicts', () => {
  const base = run([result('a', 10), result('b', 10)]);
  const now = run([result('a', 30), result('b', 10)], { ...MACHINE, cpu: 'B' });
  const lines = comparisonTable(compareRuns(base, now)).split('\n');
  expect(lines[0]).toContain('!!!');
  expect(lines[1]).toContain('cpu: A → B');
  expect(lines[3]).toMatch(/^slower +3\.00 +10\.000 +30\.000 +±19 % {2}ops: a$/);
  expect(lines.at(-1)).toBe('1 slower, 1 same: regressed');
});
