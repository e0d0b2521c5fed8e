// Silverlode alone through the protocol of the comparison, and what happens when an engine misbehaves.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { readSet } from '../../bench/data/set_files.js';
import { FILTERS, K, recallOf, standardSet, truthOf } from '../../bench/data/standard_set.js';
import { SilverlodeAdapter } from '../../bench/peers/adapters/silverlode.js';
import { quantisationError } from '../../bench/peers/costs.js';
import { serveEngine } from '../../bench/peers/engine_loop.js';
import { EngineConnection, EngineProcess } from '../../bench/peers/engine_process.js';
import { chosen, lineup } from '../../bench/peers/lineup.js';
import type { EngineError, RunCommand } from '../../bench/peers/protocol.js';
import { tempFolder } from '../support/temp_folder.js';

const SIZE = { items: 2000, dims: 32, clusters: 20, queries: 64 };
const CLUSTERS = Math.round(Math.sqrt(SIZE.items));
const folder = (await tempFolder()).path('');

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'no error',
    (error: EngineError) => error.code,
  );

/** An engine of this process behind two streams. */
function connect(): { connection: EngineConnection; input: PassThrough; ended: Promise<void> } {
  const input = new PassThrough();
  const output = new PassThrough();
  const ended = serveEngine(new SilverlodeAdapter(), input, output);
  return { connection: new EngineConnection('silverlode', input, output), input, ended };
}

describe('Silverlode through the protocol', () => {
  test('finds what brute force finds when it looks at every cluster', async () => {
    const set = await standardSet(SIZE, folder);
    const own = join(folder, 'silverlode');
    await mkdir(own);
    const { connection, input, ended } = connect();
    const run = { mode: 'single', batch: 1, threads: 1, filter: '', effort: { probes: CLUSTERS }, k: K } as const;

    const all: RunCommand = { ...run, queries: SIZE.queries, idsFile: join(folder, 'ids.i32') };
    expect(await codeOf(connection.ask('run', all, 60))).toBe('NOT_PREPARED');
    const built = await connection.ask('build', { set, folder: own }, 60);
    expect(built.about).toContain(`${CLUSTERS} clusters`);
    await connection.ask('prepare', { set, folder: own }, 60);
    for (const filter of ['', ...FILTERS]) {
      const recalls = [];
      for (const [mode, batch] of [['single', 1] as const, ['batch', 16] as const]) {
        const ran = await connection.ask('run', { ...all, mode, batch, filter }, 60);
        expect(ran.calls).toHaveLength(SIZE.queries / batch);
        const found = new Int32Array(new Uint8Array(await readFile(join(folder, 'ids.i32'))).buffer);
        recalls.push(recallOf(found, await truthOf(set, filter), SIZE.queries));
        const mask = filter === '' ? undefined : await (await readSet(set, { rows: false })).mask(filter);
        for (const id of found) expect(id < 0 || mask === undefined || mask[id] === 1).toBe(true);
      }
      // Rows and queries are int8 there: a little is lost against float32 where the list has an end.
      expect(recalls[0], filter).toBeGreaterThan(0.97);
      expect(recalls[1], filter).toBe(recalls[0]);
    }

    const assignmentsFile = join(folder, 'assignments.i32');
    await connection.ask('cluster', { set, clusters: 16, iterations: 0, threads: 1, assignmentsFile }, 60);
    const assignments = new Int32Array(new Uint8Array(await readFile(assignmentsFile)).buffer);
    const { rows } = await readSet(set, { rows: true });
    const one = quantisationError(rows, SIZE.dims, new Int32Array(SIZE.items), 1);
    expect(new Set(assignments).size).toBe(16);
    expect(quantisationError(rows, SIZE.dims, assignments, 16)).toBeLessThan(one);

    for (const how of ['verified', 'mapped']) {
      const { wallSeconds } = await connection.ask('open', { set, folder: own, how, k: 10 }, 60);
      expect(wallSeconds).toBeGreaterThan(0);
    }
    input.end();
    await ended;
  });

  test('refuses what is no command, and goes on', async () => {
    const { connection, input, ended } = connect();
    expect(await codeOf(connection.ask('dance' as never, {} as never, 10))).toBe('BAD_COMMAND');
    const wrong = { set: { folder: '/nowhere', items: 1, dims: 1, queries: 1, filters: [] }, folder: '/nowhere' };
    expect(await codeOf(connection.ask('build', wrong, 10))).toBe('FAILED');
    expect(await codeOf(connection.ask('run', {} as never, 10))).toBe('NOT_PREPARED');
    input.end();
    await ended;
    expect(await codeOf(connection.ask('run', {} as never, 10))).toBe('DEAD');
  });

  test('answers text that is not JSON', async () => {
    const input = new PassThrough();
    const output = new PassThrough({ encoding: 'utf8' });
    const ended = serveEngine(new SilverlodeAdapter(), input, output);
    input.end('{"run":\n[1,2]\n');
    await ended;
    const replies = String(output.read()).trim().split('\n');
    expect(replies.map((line) => JSON.parse(line).error.code)).toEqual(['BAD_COMMAND', 'BAD_COMMAND']);
  });
});

describe('an engine that misbehaves', () => {
  const node = (script: string) => new EngineProcess('wrong', { file: process.execPath, args: ['-e', script] });
  const command = {} as never;

  test.each([
    [
      'dies',
      "console.error('no memory left'); process.exitCode = 3",
      'DEAD',
      /wrong: died \(exit code 3\) no memory left/,
    ],
    [
      'says something else',
      "process.stdin.once('data', () => console.log('hello'))",
      'BAD_REPLY',
      /not a reply: hello/,
    ],
    ['says JSON that is no reply', "process.stdin.once('data', () => console.log('{}'))", 'BAD_REPLY', /not a reply/],
  ])('%s', async (_, script, code, message) => {
    const engine = node(script);
    await expect(engine.ask('run', command, 20)).rejects.toMatchObject({ code, engine: 'wrong', message });
    await expect(engine.ask('run', command, 20)).rejects.toMatchObject({ name: 'EngineError' });
    await engine.stop();
  });

  test('says nothing', async () => {
    const engine = node('process.stdin.resume()');
    await expect(engine.ask('run', command, 0.2)).rejects.toMatchObject({ code: 'TIMEOUT', engine: 'wrong' });
    await engine.stop();
  });

  test('cannot be started', async () => {
    const engine = new EngineProcess('wrong', { file: '/nowhere/engine', args: [] });
    await expect(engine.ask('run', command, 20)).rejects.toMatchObject({ code: 'DEAD', message: /ENOENT/ });
    await engine.stop();
  });
});

test('the line-up is chosen by id or by library, and Silverlode always takes part', () => {
  const all = lineup(200_000, 128, { packages: 'packages', python: 'python' });
  const ids = (wanted: string[]) => chosen(all, wanted).map(({ id }) => id);
  expect(ids([])).toEqual(all.map(({ id }) => id));
  expect(ids(['usearch', 'hnswlib'])).toEqual(['silverlode', 'usearch-f32', 'usearch-i8', 'hnswlib']);
  expect(ids(['faiss-hnsw'])).toEqual(['silverlode', 'faiss-hnsw', 'faiss-hnsw-sq8']);
  expect(() => chosen(all, ['annoy'])).toThrow(/no engine annoy; there are: silverlode, /);
});
