import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { Output, properties, table, toJson } from '../../lib/cli/output.js';
import { Progress } from '../../lib/cli/progress.js';
import { SilverlodeError } from '../../lib/errors.js';

function capture(json: boolean) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write: (text: string | Uint8Array) => {
      written[name] += text;
      return true;
    },
  });
  return { written, output: new Output({ json, stdout: stream('stdout'), stderr: stream('stderr') }) };
}

describe('toJson', () => {
  test('writes what JSON itself cannot', () => {
    const value = {
      ids: BigInt64Array.of(1n, -(2n ** 60n)),
      scores: Float32Array.of(0.5, NaN, -Infinity),
      map: new Map([['a', new Set([1n])]]),
      bytes: new Uint8Array(0),
    };
    expect(JSON.parse(toJson(value))).toEqual({
      ids: ['1', '-1152921504606846976'],
      scores: [0.5, null, null],
      map: { a: ['1'] },
      bytes: [],
    });
  });
});

describe('Output', () => {
  test('prints one JSON document, or text', () => {
    const forMachines = capture(true);
    forMachines.output.result({ k: 1n }, () => expect.fail('no text asked for'));
    expect(forMachines.written).toEqual({ stdout: '{"k":"1"}\n', stderr: '' });
    const forPeople = capture(false);
    forPeople.output.result({ k: 1n }, () => 'one');
    expect(forPeople.written).toEqual({ stdout: 'one\n', stderr: '' });
  });

  test('prints failures with code and details', () => {
    const error = new SilverlodeError('CORRUPT_FILE', 'a.npy: data is cut off', { path: 'a.npy', at: 5n });
    const { written, output } = capture(true);
    expect(output.failure(error)).toBe(1);
    expect(written.stderr).toBe('error: a.npy: data is cut off (CORRUPT_FILE)\n');
    expect(JSON.parse(written.stdout)).toEqual({
      error: { code: 'CORRUPT_FILE', message: 'a.npy: data is cut off', path: 'a.npy', at: '5' },
    });
    const people = capture(false);
    people.output.failure(error);
    expect(people.written.stdout).toBe('');
  });

  test('shows where an unexpected error comes from', () => {
    const { written, output } = capture(true);
    expect(output.failure(new TypeError('oops'))).toBe(1);
    expect(written.stderr).toMatch(/^error: oops\nTypeError: oops\n +at /);
    expect(JSON.parse(written.stdout)).toEqual({ error: { code: 'INTERNAL', message: 'oops' } });
    expect(capture(false).output.failure('text')).toBe(1);
  });

  test('leaves usage to commander', () => {
    const { written, output } = capture(true);
    expect(output.failure(new CommanderError(1, 'commander.unknownOption', 'unknown option'))).toBe(2);
    expect(output.failure(new CommanderError(0, 'commander.helpDisplayed', '(help)'))).toBe(0);
    expect(written).toEqual({ stdout: '', stderr: '' });
  });
});

describe('text for people', () => {
  test('tables align numbers to the right and mark what is missing', () => {
    const rows = [
      { title: 'a', score: 10, tags: ['x', 'y'], ok: true },
      { title: 'longer', score: 0.123456789, ok: null, extra: { a: 1 } },
    ];
    expect(`\n${table(rows)}\n`).toBe(`
title     score  tags  ok   extra
a            10  x, y  yes  -
longer  0.12346  -     -    {"a":1}
`);
    expect(table([])).toBe('');
    expect(table([{ text: 'x'.repeat(100) }]).split('\n')[1]).toHaveLength(60);
  });

  test('properties align values', () => {
    expect(properties({ items: 10n, 'bytes per item': 3.5 })).toBe('items           10\nbytes per item  3.5');
  });
});

describe('Progress', () => {
  /** As much of a terminal as cli-progress asks for. */
  function terminal(isTTY: boolean) {
    const written: string[] = [];
    const ignore = () => true;
    const stream = {
      isTTY,
      columns: 100,
      write: (text: string) => written.push(text),
      cursorTo: ignore,
      clearLine: ignore,
    };
    return { written, stream: stream as unknown as NodeJS.WriteStream };
  }

  test('draws one bar per stage on a terminal', () => {
    const { written, stream } = terminal(true);
    {
      using progress = new Progress({ stream });
      progress.update('reading', 1, 4);
      progress.update('reading', 4, 4);
      progress.hint('items stand in for queries');
      progress.update('clustering', 0, 10);
    }
    const text = written.join('');
    expect(text).toMatch(/reading .* 25 %/);
    expect(text).toMatch(/reading .* 100 %/);
    expect(text).toMatch(/100 %[\s\S]*hint: items stand in for queries\n[\s\S]*clustering .* 0 %/);
    expect(text).toMatch(/clustering .* 0 %/);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  test('is silent elsewhere', () => {
    for (const [isTTY, quiet] of [
      [false, false],
      [true, true],
    ] as const) {
      const { written, stream } = terminal(isTTY);
      using progress = new Progress({ stream, quiet });
      progress.update('reading', 1, 4);
      progress.hint('items stand in for queries');
      expect(written).toEqual([]);
    }
  });
});
