// The commands as processes: publish --shards, serve --shard, front; skipped where nats-server is not installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect } from '@nats-io/transport-node';
import { publish } from 'silverlode';
import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { writeNpy } from '../../lib/io/npy.js';
import { run } from '../cli/run.js';
import { randomVectors } from '../retrieval/catalogue.js';
import { tempFolder } from '../support/temp_folder.js';
import { kill, natsServer, startNats } from './nats_server.js';

const { path } = await tempFolder();
const main = join(import.meta.dirname, '../../dist/cli/main.js');
const [ITEMS, DIMS] = [301, 16];
const random = new Random(5);
const data = randomVectors(random, ITEMS, DIMS);

describe.skipIf(natsServer === undefined)('shards by the command line', () => {
  const processes: ChildProcess[] = [];

  afterAll(async () => {
    for (const child of processes.reverse()) await kill(child);
  });

  /** The document of a command that goes on. */
  async function start(...args: string[]): Promise<{ child: ChildProcess; document: Record<string, unknown> }> {
    const child = spawn(process.execPath, [main, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    processes.push(child);
    let text = '';
    for await (const chunk of (child.stdout as Readable).iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.endsWith('}\n')) break;
    }
    return { child, document: JSON.parse(text) };
  }

  test('publish, two shards and a front answer as one model', async () => {
    await writeNpy(path('items.npy'), { dtype: 'float32', data, shape: [ITEMS, DIMS] });
    const out = path('books');
    const published = await run('publish', '--embeddings', path('items.npy'), '--shards', 2, '--out', out, '--json');
    expect(published).toMatchObject({ code: 0 });
    expect(JSON.parse(published.stdout)).toMatchObject({ path: out, items: ITEMS, shards: 2 });
    expect((await readdir(out)).sort()).toEqual(['shard-1-of-2.silverlode', 'shard-2-of-2.silverlode']);
    expect(existsSync(`${out}.whole`)).toBe(false);

    const nats = await startNats();
    processes.push(nats.process);
    for (;;) {
      const opened = await connect({ servers: nats.host }).catch(() => undefined);
      await opened?.close();
      if (opened) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const url = `nats://${nats.host}`;
    const first = await start('serve', out, '--shard', '1/2', '--nats', url);
    expect(first.document).toMatchObject({ name: 'books', shard: '1/2', items: 151 });
    const second = await start('serve', out, '--shard', '2/2', '--nats', url);
    const front = await start('front', '--nats', url, '--name', 'books', '--port', '0');
    const ask = async (body: object) => {
      const answer = await fetch(`${front.document.url}/v1/models/books/retrieve`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: await answer.json() };
    };
    await using whole = await publish({
      items: { ids: Int32Array.from({ length: ITEMS }, (_, i) => i), embeddings: { data, shape: [ITEMS, DIMS] } },
      index: { rescore: false },
    });
    const embedding = randomVectors(random, 1, DIMS);
    const request = { embedding: [...embedding], k: 20, exclude: [1, 2, 3] };
    const expected = await whole.retrieve({ embedding, k: 20, exclude: [1, 2, 3] });
    expect(await ask(request)).toMatchObject({
      status: 200,
      body: { ids: expected.ids, scores: [...expected.scores], stats: { scannedRows: expected.stats.scannedRows } },
    });
    expect(await ask({ ...request, k: -1 })).toMatchObject({ status: 400 });

    await kill(second.child);
    expect(await ask(request)).toMatchObject({ status: 503, body: { error: { code: 'PARTIAL', shards: [2] } } });
    const lenient = await start('front', '--nats', url, '--name', 'books', '--port', '0', '--partial');
    front.document.url = lenient.document.url;
    expect(await ask(request)).toMatchObject({ status: 200, body: { partial: { shards: [2], items: 150 } } });

    for (const { child } of [front, first]) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      expect(child.exitCode).toBe(0);
    }
  });
});

test('options that do not go together are usage errors', async () => {
  const nats = ['--nats', 'nats://127.0.0.1:1'];
  expect(await run('serve', 'books', '--shard', '1/2')).toMatchObject({ code: 2 });
  expect(await run('serve', 'books', ...nats)).toMatchObject({ code: 2 });
  expect(await run('serve', 'books', '--shard', '1/2', ...nats, '--port', 80)).toMatchObject({ code: 2 });
  expect(await run('front', '--name', 'books')).toMatchObject({ code: 2 });
  expect(await run('front', '--name', 'books', '--nats', 'http://x')).toMatchObject({ code: 1 });
  const valued = ['--value', 'score', '--shards', 2, '--out', path('valued')];
  expect(await run('publish', '--embeddings', path('none.npy'), ...valued)).toMatchObject({ code: 1 });
});
