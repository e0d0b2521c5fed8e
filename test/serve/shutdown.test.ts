// The end of a service, on real sockets: it waits for answers, and for nobody who asks nothing.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectSecurely } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createService, ModelHub, type ServiceOptions } from '../../lib/serve/index.js';
import { findProgram } from '../support/program.js';
import { tempFolder } from '../support/temp_folder.js';
import { answerTo, FACTS, FakeModel, turns } from './fake_model.js';
import { queryVector } from './models.js';

const { path } = await tempFolder();
const body = JSON.stringify({ embedding: Array.from(queryVector()), k: 5 });
const head = `POST /v1/models/books/retrieve HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A service whose runs end when the test says so. */
async function listen(options: ServiceOptions = {}) {
  const model = new FakeModel();
  let warming = true;
  const hub = new ModelHub();
  await hub.add('books', {
    items: 1,
    dims: 8,
    describe: () => FACTS,
    retrieve: async (requests, call) => (warming ? requests.map(answerTo) : model.retrieve(requests, call)),
    profile: async () => [],
    close: async () => undefined,
  });
  warming = false;
  const app = await createService(hub, { profileEveryMs: 0, ...options });
  await app.listen({ port: 0, host: '127.0.0.1' });
  closing.push(() => app.close().then(() => hub.close()));
  return { app, model, port: (app.server.address() as AddressInfo).port };
}

async function open(port: number, bytes = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  if (bytes) socket.write(bytes);
  return socket;
}

/** Settles when the connection is closed, in whatever way. */
const end = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

describe('closing', () => {
  test('ends silent and unused connections at once, and answers what is under way', async () => {
    const { app, model, port } = await listen({ drainMs: 2 ** 31 - 1 });
    const asking = await open(port, `${head}\r\n${body}`);
    const answer = text(asking);
    const run = await model.started(1);
    const used = await open(port, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(used, 'data');
    const silent = [used, await open(port), await open(port, 'GET /healthz HTTP/1.1\r\nhost')];
    const gone = silent.map(end);
    // The service has seen all of them.
    await new Promise<void>((resolve, reject) => {
      app.server.getConnections((error, count) => (error || count !== 4 ? reject(error ?? count) : resolve()));
    });
    const closed = app.close();
    await Promise.all(gone);
    run.end();
    expect(await answer).toMatch(/^HTTP\/1.1 200 OK/);
    await closed;
  });

  test('does not wait for a body that may never be whole', async () => {
    const { app, port } = await listen({ drainMs: 2 ** 31 - 1 });
    const asked = once(app.server, 'request');
    const half = await open(port, `${head}\r\n{`);
    const gone = end(half);
    await asked;
    await app.close();
    await gone;
  });

  test('has a limit, beyond which a request that is not answered is given up', async () => {
    const { app, model, port } = await listen({ drainMs: 20 });
    const asking = await open(port, `${head}\r\n${body}`);
    const answer = text(asking).catch(() => '');
    const run = await model.started(1);
    await app.close();
    expect(await answer).toBe('');
    while (!run.signal?.aborted) await turns(1);
  });

  const openssl = findProgram('openssl');
  test.skipIf(openssl === undefined)('over TLS, also before the handshake', async () => {
    const files = [
      '-keyout',
      path('key.pem'),
      '-out',
      path('cert.pem'),
      '-subj',
      '/CN=localhost',
      '-days',
      '1',
      '-nodes',
    ];
    execFileSync(openssl as string, ['req', '-x509', '-newkey', 'rsa:2048', ...files], { stdio: 'ignore' });
    const tls = { key: await readFile(path('key.pem')), cert: await readFile(path('cert.pem')) };
    const { app, model, port } = await listen({ tls, drainMs: 2 ** 31 - 1 });
    const silent = await open(port);
    const asking = connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(asking, 'secureConnect');
    asking.write(`${head}\r\n${body}`);
    const answer = text(asking);
    const run = await model.started(1);
    const gone = end(silent);
    const closed = app.close();
    await gone;
    run.end();
    expect(await answer).toMatch(/^HTTP\/1.1 200 OK/);
    await closed;
  });
});

test.each([
  ['a head', 'POST /v1/models/books/retrieve HTTP/1.1\r\nhost: x'],
  ['a body', `${head}\r\n{`],
  ['anything', ''],
])('%s that does not come in time is ended, and told so', async (_, bytes) => {
  const { port } = await listen({ requestTimeoutMs: 100 });
  const answer = await text(await open(port, bytes));
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  const [, json = ''] = answer.split('\r\n\r\n');
  expect(JSON.parse(json)).toEqual({ error: { code: 'INVALID_ARGUMENT', message: expect.any(String) } });
});
