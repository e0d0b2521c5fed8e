import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { axisOf, linearTicks, logTicks, ninesTicks } from '../../bench/report/axes.js';
import { goalRows, goalsMarkdown, unmeasured } from '../../bench/report/goals.js';
import { writeReport } from '../../bench/report/index.js';
import { paretoLine, reportOf } from '../../bench/report/model.js';
import { numberText, ratioText, tickText } from '../../bench/report/numbers.js';
import { readRun } from '../../bench/support/run_file.js';
import { Random } from '../../lib/data/random.js';
import { tempFolder } from '../support/temp_folder.js';
import { HOSTILE, run } from './report_runs.js';

const times = { suite: 'x', medianMs: 1, samples: 1, figures: { k: 1 } };

describe('paretoLine', () => {
  test.each([1, 2, 3])('agrees with its definition, seed %i', (seed) => {
    const random = new Random(seed);
    for (const lowerIsBetter of [false, true]) {
      const points = Array.from({ length: 50 }, () => ({ x: random.integer(12), y: random.integer(12) }));
      const better = (a: number, b: number) => (lowerIsBetter ? a < b : a > b);
      const beats = (a: { x: number; y: number }, b: { x: number; y: number }) =>
        (a.x >= b.x && better(a.y, b.y)) || (a.x > b.x && a.y === b.y);
      const key = ({ x, y }: { x: number; y: number }) => `${x} ${y}`;
      const expected = new Set(points.filter((each) => !points.some((other) => beats(other, each))).map(key));
      const line = paretoLine(points, lowerIsBetter).map((i) => points[i] as { x: number; y: number });
      expect(line.map(key)).toEqual([...new Set(line.map(key))]);
      expect(new Set(line.map(key))).toEqual(expected);
      expect(line.map(({ x }) => x)).toEqual(line.map(({ x }) => x).toSorted((a, b) => a - b));
    }
  });
});

describe('axes', () => {
  test.each([1, 2, 3])('ticks enclose the values and rise, seed %i', (seed) => {
    const random = new Random(seed);
    for (let round = 0; round < 200; round++) {
      const low = 10 ** (8 * random.uniform() - 4);
      const high = low * (1 + 1000 * random.uniform());
      for (const ticks of [logTicks(low, high), linearTicks(low, high)]) {
        expect(ticks[0]).toBeLessThanOrEqual(low * (1 + 1e-9));
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(high * (1 - 1e-9));
        expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b));
      }
    }
  });

  test('recall is drawn by nines, rates and wide spans by decades, shares as they are', () => {
    expect(axisOf('recall@100', [0.9, 0.99]).scale).toBe('nines');
    expect(axisOf('req/s', [100, 900])).toMatchObject({ scale: 'log', lowerIsBetter: false });
    expect(axisOf('ms', [1, 1.5])).toMatchObject({ scale: 'linear', lowerIsBetter: true });
    expect(axisOf('share', [0.1, 0.9])).toMatchObject({ scale: 'linear', max: 1 });
    expect(ninesTicks(0.91, 0.992)).toEqual([0.9, 0.95, 0.98, 0.99, 0.995]);
    expect(ninesTicks(1, 1)).toEqual([0.999, 0.9995]);
  });

  test.each([0, 0.5, 1])('an axis of one share, %d, has a length and ends at 1', (share) => {
    const { min, max } = axisOf('share', [share, share]);
    expect(min).toBeLessThan(max);
    expect([min <= share, max >= share, max <= 1]).toEqual([true, true, true]);
  });
});

test('numbers are written for readers', () => {
  expect(numberText(1234567)).toBe('1\u202f234\u202f567');
  expect(numberText(-0.98765)).toBe('−0.9877');
  expect(numberText(0)).toBe('0');
  expect([500, 20_000, 1_500_000].map(tickText)).toEqual(['500', '20k', '1.5M']);
  expect([ratioText(4.512, 3), ratioText(0.931, 0.8)]).toEqual(['4.51x', '93.1 %']);
});

describe('goals', () => {
  test('are in order, met or missed, and what is missing is named', () => {
    const rows = goalRows([run]);
    expect(rows.map(({ id, met }) => [id, met])).toEqual([
      ['C1', false],
      ['C5', true],
      ['C6', true],
    ]);
    expect(unmeasured(rows)).toEqual(['C2', 'C3', 'C4', 'C7', 'C8', 'C9', 'C10', 'C11', 'services']);
  });

  test('come by number, others after them, a goal just reached is met', () => {
    const ids = ['X2', 'C10', 'X10', 'C2', 'C1'];
    const results = ids.map((id) => ({ ...times, name: id, goal: { id, against: 'a', ratio: 3, wanted: 3 } }));
    const rows = goalRows([{ ...run, results }]);
    expect(rows.map(({ id }) => id)).toEqual(['C1', 'C2', 'C10', 'X2', 'X10']);
    expect(rows.every(({ met }) => met)).toBe(true);
    expect(goalRows([{ ...run, results: run.results.slice(0, 3) }])).toEqual([]);
  });

  test('as Markdown have one line each, whatever names hold', () => {
    const lines = goalsMarkdown(goalRows([run]))
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(2 + 3);
    for (const line of lines) expect(line.match(/(?<!\\)\|/g)).toHaveLength(8);
    expect(lines[2]).toContain('| 1.5x | 3x | **missed** |');
    expect(lines.join()).not.toContain('<img');
  });
});

describe('reportOf', () => {
  test('makes a plot of each title, with our series first and beaten points off the line', () => {
    const { plots } = reportOf([run]);
    expect(plots.map(({ id, kind }) => [id, kind])).toEqual([
      ['recall-and-speed', 'recall'],
      ['cost-over-k', 'growth'],
    ]);
    const [ours, theirs] = plots[0]?.series ?? [];
    expect([ours?.name, ours?.ours, ours?.line]).toEqual(['silverlode', true, [0, 2]]);
    expect([theirs?.name, theirs?.ours, theirs?.line]).toEqual([HOSTILE, false, [0, 1, 2]]);
    expect(ours?.style).not.toEqual(theirs?.style);
  });

  test('keeps runs of one series apart by file', () => {
    const { plots } = reportOf([run, { ...run, file: 'new.json' }]);
    expect(plots[0]?.series.slice(0, 2).map(({ name, dashed }) => [name, dashed])).toEqual([
      ['silverlode (peers)', false],
      ['silverlode (new)', true],
    ]);
  });

  test('names runs by their whole path where files of two folders have one name', () => {
    const { plots } = reportOf(['old/peers.json', 'new/peers.json'].map((file) => ({ ...run, file })));
    const names = plots[0]?.series.map(({ name }) => name) ?? [];
    expect(names.slice(0, 2)).toEqual(['silverlode (old/peers)', 'silverlode (new/peers)']);
    expect(new Set(names).size).toBe(4);
  });

  test('refuses a plot whose results disagree on its figures', () => {
    const results = run.results.map((each) =>
      each.name === 'top 10' && each.plot ? { ...each, plot: { ...each.plot, y: 'k' } } : each,
    );
    expect(() => reportOf([{ ...run, results }])).toThrow(
      /plot "Cost over k" is of k and k in "top 10", but of k and ms/,
    );
  });

  test('numbers titles that make the same file name', () => {
    const plot = { series: 'silverlode', x: 'k', y: 'ms' };
    const titles = ['A b', 'a  B', '…'];
    const results = titles.map((title) => ({
      ...times,
      name: title,
      plot: { ...plot, title },
    }));
    expect(reportOf([{ ...run, results }]).plots.map(({ id }) => id)).toEqual(['a-b', 'a-b-2', 'plot']);
  });
});

test('every kept run can be read, and settles goals or has plots', () => {
  const kept = readdirSync('bench/results').map((name) => ({ ...readRun(`bench/results/${name}`), file: name }));
  const { goals, plots } = reportOf(kept);
  expect(kept.filter(({ finished, machine }) => finished !== true || machine.commit === undefined)).toEqual([]);
  expect(new Set(goals.map(({ id }) => id)).size).toBe(12);
  expect(plots.length).toBeGreaterThan(3);
});

describe('writeReport', async () => {
  const folder = await tempFolder();

  test('writes a page, goals and SVGs, all names as text, and replaces an older report', async () => {
    const out = folder.path('report');
    await writeReport(reportOf([run, { ...run, results: run.results.slice(0, 3), file: 'b.json' }]), out);
    await writeReport(reportOf([run]), out);
    expect((await readdir(out)).sort()).toEqual(['cost-over-k.svg', 'goals.md', 'index.html', 'recall-and-speed.svg']);
    expect((await readdir(folder.path('.'))).filter((name) => name.includes('partial'))).toEqual([]);
    for (const name of ['index.html', 'recall-and-speed.svg'])
      expect(await readFile(join(out, name), 'utf8')).not.toContain('<img');
    // Its own data, its own script, and no third.
    expect((await readFile(join(out, 'index.html'), 'utf8')).match(/<\/script/g)).toHaveLength(2);
    expect(await readFile(join(out, 'index.html'), 'utf8')).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  test('leaves a folder with anything else alone', async () => {
    const out = folder.path('mine');
    await mkdir(out);
    await writeFile(join(out, 'notes.txt'), 'mine');
    await expect(writeReport(reportOf([run]), out)).rejects.toThrow(/holds other files than a report \(notes\.txt\)/);
    expect(existsSync(join(out, 'index.html'))).toBe(false);
  });

  test.each(['logo.svg', 'index.html'])('takes no folder with just %s for a report', async (name) => {
    const out = folder.path(`only ${name}`);
    await mkdir(out);
    await writeFile(join(out, name), 'mine');
    await expect(writeReport(reportOf([run]), out)).rejects.toThrow(/holds other files than a report/);
    expect(await readFile(join(out, name), 'utf8')).toBe('mine');
  });

  test('keeps the older report where a file of the new one cannot be written', async () => {
    const [out, report] = [folder.path('kept'), reportOf([run])];
    await writeReport(report, out);
    const goals = await readFile(join(out, 'goals.md'), 'utf8');
    const plots = report.plots.map((plot, i) => (i === 1 ? { ...plot, id: 'no/such/folder' } : plot));
    await expect(writeReport({ ...report, goals: [], plots }, out)).rejects.toThrow(/ENOENT/);
    expect(await readFile(join(out, 'goals.md'), 'utf8')).toBe(goals);
    expect((await readdir(out)).length).toBe(4);
    expect((await readdir(folder.path('.'))).filter((name) => name.includes('partial'))).toEqual([]);
  });
});
