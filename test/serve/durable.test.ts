// Updates of `silverlode serve` as a process: what was acknowledged is there after kill -9, and what a stream holds is taken.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { encodeUpdate } from 'silverlode/feed';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { findProgram } from '../support/program.js';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, writeModel } from './models.js';
import { killAll, start } from './process.js';

const { path } = await tempFolder();
const embedding = Array.from(queryVector());
const best = embedding.map((x) => 10 * x);

beforeAll(async () => {
  for (const n of [1, 2]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
});
afterEach(killAll);

async function send(url: string, method: string, what: string, body: object) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/models/books/${what}`, { method, headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as { ids?: number[] } };
}
/** Ids that came by updates, of all that are served. */
async function added(url: string): Promise<number[]> {
  const { body } = await send(url, 'POST', 'retrieve', { embedding, k: 1000 });
  return (body.ids ?? []).filter((id: number) => id >= 9000).sort((a: number, b: number) => a - b);
}
const put = (url: string, id: number) =>
  send(url, 'POST', 'items', { items: [{ id, embedding: best, attributes: { language: 'fr' } }] });

test('kill -9 loses nothing that was acknowledged, also over a new version', { timeout: 180_000 }, async () => {
  const folder = path('watched');
  await mkdir(folder);
  const place = async (n: number) => {
    await copyFile(path(`v${n}.silverlode`), path('next'));
    await rename(path('next'), `${folder}/books.silverlode`);
  };
  await place(1);
  const acknowledged: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { child, document, exit, stderr } = await start('--watch', folder, '--journal', path('journals'));
    const { url } = document;
    while ((await send(url, 'POST', 'retrieve', { embedding })).status !== 200)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await added(url)).toEqual(acknowledged);
    expect(stderr()).toBe('');
    // The process is killed while updates are on their way; of the last ones some may be there, none has to.
    const killed = new Promise((resolve) => setTimeout(resolve, 20 + 10 * round)).then(() => child.kill('SIGKILL'));
    const first = 9000 + 100 * round;
    let unknown: number | undefined;
    for (let id = first; id < first + 100; id++) {
      const answer = await put(url, id).catch(() => undefined);
      if (answer === undefined) {
        unknown = id;
        break;
      }
      expect(answer).toEqual({ status: 200, body: { accepted: 1, durable: true } });
      acknowledged.push(id);
    }
    await killed;
    await exit;
    if (round === 2) await place(2);
    if (unknown === undefined) continue;
    const again = await start('--watch', folder, '--journal', path('journals'));
    while ((await send(again.document.url, 'POST', 'retrieve', { embedding })).status !== 200)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const found = await added(again.document.url);
    if (found.includes(unknown)) acknowledged.push(unknown);
    expect(found).toEqual(acknowledged);
    again.child.kill('SIGKILL');
    await again.exit;
  }
});

test('without a journal it says so, in the answer and once at the start', async () => {
  await copyFile(path('v1.silverlode'), path('books.silverlode'));
  const { document, stderr, child, exit } = await start(path('books.silverlode'));
  expect((await put(document.url, 9000)).body).toEqual({ accepted: 1, durable: false });
  expect((await send(document.url, 'POST', 'save', {})).status).toBe(200);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  const lines = stderr().trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([expect.stringContaining('--journal')]);
  const again = await start(path('books.silverlode'), '--no-changes');
  expect(await added(again.document.url)).toEqual([9000]);
  expect(again.stderr()).toBe('');
});

test.skipIf(findProgram('nats-server') === undefined)('follows a stream', async () => {
  const port = 20_000 + (process.pid % 20_000);
  const nats: ChildProcess = spawn('nats-server', ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', path('nats')]);
  const servers = `127.0.0.1:${port}`;
  const opened = async (): Promise<Awaited<ReturnType<typeof connect>>> => {
    for (;;) {
      const connection = await connect({ servers, reconnect: false }).catch(() => undefined);
      if (connection) return connection;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const connection = await opened();
  try {
    await (await jetstreamManager(connection)).streams.add({ name: 'shop-books', subjects: ['items'] });
    const publish = (id: number) => {
      const embeddings = { data: Float32Array.from(best), shape: [1, 8] };
      return jetstream(connection).publish('items', encodeUpdate({ type: 'upsert', ids: [id], embeddings }));
    };
    for (const id of [9000, 9001]) await publish(id);
    await copyFile(path('v1.silverlode'), path('books.silverlode'));
    const url = `nats://${servers}/shop-{name}`;
    const { document, child, exit } = await start(
      path('books.silverlode'),
      '--follow',
      url,
      '--journal',
      path('followed'),
    );
    expect(await added(document.url)).toEqual([9000, 9001]);
    await publish(9002);
    while ((await added(document.url)).length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    await expect(start(path('books.silverlode'), '--follow', 'nats://nowhere')).rejects.toThrow(/INVALID_ARGUMENT/);
  } finally {
    await connection.close();
    nats.kill();
  }
});
