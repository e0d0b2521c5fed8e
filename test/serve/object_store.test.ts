// Model files from a NATS object store, against a real server; skipped where nats-server is not installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { type ObjectStore, Objm } from '@nats-io/obj';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelHub, watchObjectStore } from '../../lib/serve/index.js';
import { findProgram } from '../support/program.js';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, writeModel } from './models.js';

const { path } = await tempFolder();
const server = findProgram('nats-server');
const embedding = queryVector();

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.skipIf(server === undefined)('a watched object store', () => {
  let nats: ChildProcess;
  let port: number;
  let connection: NatsConnection;
  let store: ObjectStore;

  const startServer = () =>
    spawn(server as string, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', path('nats')], { stdio: 'ignore' });

  beforeAll(async () => {
    port = await freePort();
    nats = startServer();
    for (;;) {
      const opened = await connect({
        servers: `127.0.0.1:${port}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
      }).catch(() => undefined);
      if (opened) {
        connection = opened;
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    store = await new Objm(connection).create('models');
  });

  afterAll(async () => {
    await connection?.close();
    const gone = once(nats, 'exit'); // it writes until then, into the folder that is removed next
    nats.kill('SIGKILL');
    await gone;
  });

  const put = async (name: string, file: string) => store.putBlob({ name }, await readFile(file));

  test('objects become versions; damaged ones are refused; the cache is bounded', async () => {
    for (const n of [1, 2]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
    const hub = new ModelHub();
    const refused: string[] = [];
    hub.on('refused', ({ name }, { code }) => refused.push(`${name} ${code}`));
    const first = async (name: string) => (await hub.retrieve(name, { embedding })).ids[0] as number;
    const controller = new AbortController();
    const told: string[] = [];
    const onError = (object: string) => void told.push(object);
    await put('books.silverlode', path('v1.silverlode'));
    const source = { connection, bucket: 'models', folder: path('cache'), keep: 2, signal: controller.signal, onError };
    const watching = hub.watch(watchObjectStore(source));
    await eventually(() => hub.names.length === 1);
    expect(await first('books')).toBeLessThan(2000);

    await put('books.silverlode', path('v2.silverlode'));
    await put('films', path('v1.silverlode'));
    for (const name of ['../evil', 'a b', 'shop/books.silverlode', 'shop.books'])
      await put(name, path('v1.silverlode'));
    await eventually(() => hub.names.length === 3);
    expect(hub.names).toEqual(['books', 'films', 'shop.books']);
    await eventually(() => told.length === 3);
    expect(told).toEqual(['../evil', 'a b', 'shop.books']);
    expect(await first('shop.books')).toBeLessThan(2000);
    expect(await first('books')).toBeGreaterThanOrEqual(2000);

    await store.putBlob({ name: 'books.silverlode' }, new TextEncoder().encode('no model'));
    await eventually(() => refused.length === 1);
    expect(refused).toEqual(['books CORRUPT_FILE']);
    expect(await first('books')).toBeGreaterThanOrEqual(2000);
    await put('films', path('v2.silverlode'));
    await eventually(() => hub.versions('films').length === 2);
    expect((await readdir(path('cache/books'))).length).toBeLessThanOrEqual(2);
    expect(await hub.rollback('films')).toMatchObject({ version: 1 });

    controller.abort();
    await watching;
    await hub.close();
  });

  test('a server that goes away and comes back', async () => {
    const hub = new ModelHub();
    const controller = new AbortController();
    const source = { connection, bucket: 'models', folder: path('again'), signal: controller.signal };
    const watching = hub.watch(watchObjectStore(source));
    await put('shows', path('v1.silverlode'));
    await eventually(() => hub.versions('shows').length === 1);
    nats.kill('SIGKILL');
    await once(nats, 'exit');
    expect((await hub.retrieve('shows', { embedding })).ids[0]).toBeLessThan(2000);
    nats = startServer();
    for (;;) {
      const isPut = await put('shows', path('v2.silverlode')).then(
        () => true,
        () => false,
      );
      if (isPut) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await eventually(() => hub.versions('shows').length >= 2);
    expect((await hub.retrieve('shows', { embedding })).ids[0]).toBeGreaterThanOrEqual(2000);
    controller.abort();
    await watching;
    await hub.close();
  });

  test('a bucket that is not there is an IO_ERROR', async () => {
    const source = watchObjectStore({ connection, bucket: 'none', folder: path('cache') });
    await expect(source.next()).rejects.toMatchObject({ code: 'IO_ERROR', bucket: 'none' });
  });
});
