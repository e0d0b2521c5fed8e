import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { helpText, parseArguments } from '../../bench/support/arguments.js';
import { machineFacts } from '../../bench/support/machine.js';
import { readRun, type StoredRun, writeRun } from '../../bench/support/run_file.js';
import { alternate, measure, statistics, timed } from '../../bench/support/suite.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const KNOWN = ['ops', 'ann', 'peers'];
const parse = (...args: string[]) => parseArguments(args, KNOWN, ['ops', 'ann']);

describe('parseArguments', () => {
  test('takes suites and options, and fills in what is left out', () => {
    expect(parse()).toMatchObject({ suites: ['ops', 'ann'], quick: false, filter: '', device: 'cpu', threads: 0 });
    const given = parse(
      'peers',
      '--quick',
      '--threads',
      '2',
      '--simd',
      'avx2',
      '--json',
      'out.json',
      '--engines',
      'a,b',
    );
    expect(given).toMatchObject({ suites: ['peers'], quick: true, threads: 2, simd: 'avx2', json: 'out.json' });
    expect(given.engines).toEqual(['a', 'b']);
  });

  test.each([
    [['nothing'], /no suite nothing; there are: ops, ann, peers/],
    [['--qiuck'], /'--qiuck'.*options: .*--quick/],
    [['--json'], /--json/],
    [['--threads', '1.5'], /--threads must be a whole number/],
    [['--threads', 'many'], /--threads must be a whole number/],
    [['--items', '0'], /--items must be a whole number from 1/],
    [['--metric', 'dot'], /--metric is one of ip, cosine, l2; it is dot/],
    [['--with', 'b.json'], /--compare/],
  ])('refuses %j and says what there is', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  test('help names every suite and every option', () => {
    const text = helpText(KNOWN, ['ops']);
    expect(text).toContain('ops, ann (only when named), peers (only when named)');
    for (const option of ['quick', 'filter', 'device', 'threads', 'simd', 'data', 'json', 'compare', 'with', 'help'])
      expect(text).toContain(`--${option} `);
  });
});

describe('files of runs', () => {
  const run: StoredRun = {
    machine: { cpu: 'A', threads: 2 },
    command: 'npm run bench -- ops',
    notes: { ops: 'a note' },
    finished: false,
    results: [{ suite: 'ops', name: 'a', medianMs: 1, p99Ms: 2, spreadMs: 0.5, samples: 3, figures: { 'GB/s': 4 } }],
  };

  test('are read as they were written, and replaced as a whole', () => {
    const file = folder.path('run.json');
    writeRun(file, run);
    writeRun(file, { ...run, finished: true });
    expect(readRun(file)).toEqual({ ...run, finished: true });
    expect(readFileSync(file, 'utf8').endsWith('}\n')).toBe(true);
  });

  test.each([
    ['{"machine": {', 'CORRUPT_FILE'],
    ['[]', 'CORRUPT_FILE'],
    ['{"machine": {}}', 'CORRUPT_FILE'],
    ['{"machine": {}, "results": [{"suite": "ops", "name": "a"}]}', 'CORRUPT_FILE'],
  ])('%s is refused', async (text, code) => {
    const file = await folder.write('bad.json', text);
    expect(() => readRun(file)).toThrow(expect.objectContaining({ code }));
    expect(() => readRun(file)).toThrow(file);
  });

  test('one that is not there is refused', () => {
    expect(() => readRun(folder.path('none.json'))).toThrow(expect.objectContaining({ code: 'IO_ERROR' }));
  });
});

describe('statistics', () => {
  test('interpolates quantiles of times in any order', () => {
    expect(statistics([4, 1, 3, 2, 5])).toEqual({ medianMs: 3, p99Ms: expect.closeTo(4.96), spreadMs: 2, samples: 5 });
    expect(statistics([7])).toEqual({ medianMs: 7, p99Ms: 7, spreadMs: 0, samples: 1 });
    expect(statistics([1, 2])).toMatchObject({ medianMs: 1.5, spreadMs: 0.5 });
  });

  test('alternate asks every side in turns and gives the median of the rounds', async () => {
    const calls: string[] = [];
    let slow = 0;
    const measured = await alternate(
      {
        one: async () => calls.push('one') && 1,
        two: async () => calls.push('two') && (++slow <= 40 ? 100 : 2), // the first round does not count, nor does one of five
      },
      { quick: true },
    );
    expect(measured.one).toEqual({ medianMs: 1, spreadMs: 0, p99Ms: 1, samples: 100 });
    expect(measured.two).toMatchObject({ medianMs: 2, samples: 100 });
    const turns = calls.filter((call, i) => call !== calls[i - 1]);
    expect(turns).toEqual(Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 'one' : 'two')));
  });

  test('measure and alternate stop when they are told to', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = async () => controller.abort(reason);
    const options = { quick: true, signal: controller.signal };
    await expect(measure(work, options)).rejects.toBe(reason);
    await expect(alternate({ side: timed(work) }, options)).rejects.toBe(reason);
  });
});

test('facts say what figures depend on', () => {
  const facts = machineFacts(1);
  expect(facts).toMatchObject({
    threads: 1,
    node: process.version,
    silverlode: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
  for (const fact of ['cpu', 'cores', 'simd', 'v8', 'compiler', 'commit', 'os']) expect(facts[fact]).toBeTruthy();
});
