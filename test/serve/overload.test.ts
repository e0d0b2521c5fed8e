// Load and faults on a real socket: clients that leave, and ten times more requests than the service takes.
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createService, ModelHub, type ServedModel } from '../../lib/serve/index.js';
import { answerTo, FACTS, FakeModel } from './fake_model.js';
import { queryVector, smallModel } from './models.js';

const body = JSON.stringify({ embedding: Array.from(queryVector()), k: 5 });
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(model: ServedModel, options: ConstructorParameters<typeof ModelHub>[0] = {}) {
  const hub = new ModelHub(options);
  closing.push(() => hub.close());
  await hub.add('books', model);
  const app = await createService(hub, { profileEveryMs: 0 });
  closing.push(() => app.close());
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return { hub, app, port };
}

/** A served model around a fake one. */
function served(retrieve: ServedModel['retrieve']): ServedModel {
  return { items: 1, dims: 8, describe: () => FACTS, retrieve, profile: async () => [], close: async () => undefined };
}

function open(port: number, agent?: Agent) {
  const headers = { 'content-type': 'application/json' };
  const path = '/v1/models/books/retrieve';
  const request = httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers, agent });
  request.end(body);
  const status = new Promise<number>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
  });
  return { request, status };
}

test('a client that leaves aborts its run, and only when it was the last one', async () => {
  const model = new FakeModel();
  let warming = true;
  const { hub, port } = await listen(
    served(async (requests, options) => (warming ? requests.map(answerTo) : model.retrieve(requests, options))),
    { batching: { maxDelayMicroseconds: 10_000_000 } },
  );
  warming = false;
  const alone = open(port);
  const left = expect(alone.status).rejects.toThrow();
  const run = await model.started(1);
  alone.request.destroy();
  await left;
  await once(run.signal as AbortSignal, 'abort');

  // While one run is in flight, one of two waiting clients leaves: the other is answered, alone.
  const first = open(port);
  await model.started(2);
  const [leaving, staying] = [open(port), open(port)];
  const gone = expect(leaving.status).rejects.toThrow();
  const queued = () => hub.current('books')?.batcher.statistics().queued;
  while (queued() !== 2) await new Promise((resolve) => setTimeout(resolve, 2));
  leaving.request.destroy();
  await gone;
  while (queued() !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
  model.runs[1]?.end();
  expect(await first.status).toBe(200);
  const last = await model.started(3);
  expect(last.requests).toHaveLength(1);
  last.end();
  expect(await staying.status).toBe(200);
  expect(hub.current('books')?.batcher.statistics()).toMatchObject({ queued: 0, failed: { ABORTED: 2 } });
});

test('ten times too many requests: 429 for the surplus, bounded memory, and everything works again', async () => {
  const model = await smallModel();
  const slow = served(async (requests, options) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return model.retrieve(requests, options);
  });
  const { hub, port } = await listen(slow, { batching: { maxBatch: 4, maxQueue: 16 } });
  closing.push(() => model.close());
  const agent = new Agent({ keepAlive: true, maxSockets: 240 });
  const seen = new Map<number, number>();
  const client = async (calls: number) => {
    for (let i = 0; i < calls; i++) {
      const status = await open(port, agent).status;
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
  };
  // 24 requests are the most that run and wait; ten times as many clients keep asking.
  await Promise.all(Array.from({ length: 240 }, () => client(2)));
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  await Promise.all(Array.from({ length: 240 }, () => client(15)));
  const grown = process.memoryUsage().rss - before;
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  expect(total).toBe(240 * 17);
  expect([...seen.keys()].sort()).toEqual([200, 429]);
  expect(seen.get(429)).toBeGreaterThan(240);
  expect(hub.current('books')?.batcher.statistics()).toMatchObject({ queued: 0, running: 0 });
  expect(grown).toBeLessThan(150e6);
  for (let i = 0; i < 20; i++) expect(await open(port, agent).status).toBe(200);
  agent.destroy();
  console.log(
    `${total} requests: ${seen.get(200)} answered, ${seen.get(429)} shed, ${(grown / 1e6).toFixed(1)} MB grown`,
  );
});
