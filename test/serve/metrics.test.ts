// What is counted: whoever asks, whatever becomes of it.
import { PerformanceObserver } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { collectMetrics, createService, ModelHub } from '../../lib/serve/index.js';
import { Load, RecentMean } from '../../lib/serve/load.js';
import { answerTo, FACTS, FakeModel, turns } from './fake_model.js';
import { queryVector, smallModel } from './models.js';
import { serve } from './service.js';

const embedding = queryVector();
const asJson = Array.from(embedding);
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Values by the whole line before them. */
async function read(registry: Registry): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('requests and updates of a hub are counted without any service, in the registry of the application', async () => {
  const registry = new Registry();
  await using hub = new ModelHub();
  const metrics = await collectMetrics(hub, { registry });
  await hub.add('books', await smallModel());
  await Promise.all([1, 2, 3].map(() => hub.retrieve('books', { embedding, k: 5 })));
  await expect(hub.retrieve('books', { embedding, k: 5, filter: '(' })).rejects.toThrow();
  const seen = await read(registry);
  expect(seen.get('silverlode_requests_total{model="books",code="ok"}')).toBe(3);
  expect(seen.get('silverlode_requests_total{model="books",code="FILTER_SYNTAX"}')).toBe(1);
  expect(seen.get('silverlode_request_seconds_count{model="books",stage="run"}')).toBe(3);
  expect(seen.get('silverlode_scanned_rows_sum{model="books"}')).toBe(900);
  expect(seen.get('silverlode_versions_total{model="books",outcome="taken"}')).toBe(1);
  expect([...seen.keys()].some((name) => name.startsWith('process_'))).toBe(false);
  await expect(collectMetrics(hub, { registry })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  metrics.close();
  expect(await registry.metrics()).toBe('\n');
});

test('a service that is closed leaves the registry of the application as it was', async () => {
  const registry = new Registry();
  await using hub = new ModelHub();
  for (let i = 0; i < 2; i++) {
    const app = await createService(hub, { registry, profileEveryMs: 0 });
    expect((await app.inject('/metrics')).body).toContain('silverlode_utilization_ratio 0');
    await app.close();
    expect(registry.getMetricsAsArray()).toEqual([]);
  }
});

test('services of one process share what observes it, so that none of them leaves anything behind', async () => {
  await using hub = new ModelHub();
  let observers = 0;
  const { observe } = PerformanceObserver.prototype;
  PerformanceObserver.prototype.observe = function (...args) {
    observers += 1;
    return observe.apply(this, args);
  };
  try {
    for (let i = 0; i < 3; i++) {
      const app = await createService(hub, { profileEveryMs: 0 });
      expect((await app.inject('/metrics')).body).toContain('nodejs_gc_duration_seconds');
      await app.close();
    }
  } finally {
    PerformanceObserver.prototype.observe = observe;
  }
  expect(observers).toBeLessThanOrEqual(1);
});

test('every request that is refused is counted once, with its code', async () => {
  const { app, close } = await serve({ books: await smallModel() }, { limits: { bodyBytes: 2000 } });
  closing.push(close);
  const post = (payload: string | object, url = '/v1/models/books/retrieve', type = 'application/json') =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });
  const input = { name: 'embedding', shape: [1, 8], datatype: 'FP32', data: asJson };
  const infer = '/v2/models/books/infer';
  const bad: [Promise<unknown>, string, string][] = [
    [post({ embedding: asJson, k: 0 }), 'books', 'INVALID_ARGUMENT'],
    [post({ embedding: asJson, k: 99_999 }), 'books', 'LIMIT_EXCEEDED'],
    [post({ embedding: asJson, zz: 1 }), 'books', 'INVALID_ARGUMENT'],
    [post('{'), 'books', 'INVALID_ARGUMENT'],
    [post({ embedding: asJson, exclude: [true] }), 'books', 'INVALID_ARGUMENT'],
    [post({ embedding: asJson, filter: { a: Array(500).fill(12345) } }), 'books', 'LIMIT_EXCEEDED'],
    [post('x', undefined, 'text/csv'), 'books', 'INVALID_ARGUMENT'],
    [post('x', undefined, 'application/x-silverlode'), 'books', 'INVALID_ARGUMENT'],
    [post({ embedding: [1] }), 'books', 'SHAPE_MISMATCH'],
    [post({ embedding: asJson, deadlineMs: 0 }), 'books', 'DEADLINE'],
    [post({ embedding: asJson }, '/v1/models/none/retrieve'), '', 'NOT_FOUND'],
    [post({ inputs: [] }, infer), 'books', 'INVALID_ARGUMENT'],
    [post({ inputs: [input], parameters: { kk: 1 } }, infer), 'books', 'INVALID_ARGUMENT'],
    [
      post([
        { embedding: asJson, filter: '(' },
        { embedding: asJson, zz: 1 },
      ] as never),
      'books',
      'INVALID_ARGUMENT',
    ],
    [Promise.resolve(), 'books', 'FILTER_SYNTAX'], // of the list before
  ];
  await Promise.all(bad.map(([request]) => request));
  const wanted = new Map<string, number>();
  for (const [, model, code] of bad) {
    const name = `silverlode_requests_total{model="${model}",code="${code}"}`;
    wanted.set(name, (wanted.get(name) ?? 0) + 1);
  }
  const { body } = await app.inject('/metrics');
  const seen = body.split('\n').filter((line) => line.startsWith('silverlode_requests_total{'));
  expect(seen.sort()).toEqual([...wanted].map(([name, count]) => `${name} ${count}`).sort());
});

test('names and units follow the rules of Prometheus', async () => {
  const registry = new Registry();
  await using hub = new ModelHub();
  await collectMetrics(hub, { registry });
  const metrics = await registry.getMetricsAsJSON();
  expect(metrics.length).toBeGreaterThan(10);
  for (const { name, help, type } of metrics) {
    expect(name).toMatch(/^silverlode_[a-z]+(_[a-z]+)*$/);
    expect(help).toMatch(/^[A-Z].*\.$|scale by this\.$/);
    expect(name.endsWith('_total'), name).toBe(String(type) === 'counter');
    if (String(type) === 'histogram') expect(name).toMatch(/_(seconds|rows|requests)$/);
  }
});

describe('utilisation', () => {
  test('is the mean over recent time', () => {
    let now = 0;
    const mean = new RecentMean(() => now);
    expect(mean.get()).toBe(0);
    mean.set(1);
    now = 10_000;
    expect(mean.get()).toBeCloseTo(1 - Math.exp(-1), 12);
    for (let i = 0; i < 1000; i++) {
      mean.set(1); // what is set again changes nothing
      now += 10;
    }
    expect(mean.get()).toBeCloseTo(1 - Math.exp(-2), 9);
    mean.set(0);
    now += 1e6;
    expect(mean.get()).toBeCloseTo(0, 12);
  });

  test('is what waiting takes of deadlines, where that is more than what runs take of the time', () => {
    let now = 0;
    const load = new Load(() => now);
    load.busy(true);
    load.waited(0.25);
    now = 1e6;
    expect(load.utilization).toBeCloseTo(1, 9);
    load.busy(false);
    now = 2e6;
    expect(load.utilization).toBeCloseTo(0, 9);
    load.waited(3);
    now = 3e6;
    expect(load.utilization).toBeCloseTo(1, 9);
  });

  test('grows while a run is in flight and falls after it', async () => {
    const model = new FakeModel();
    let warming = true;
    await using hub = new ModelHub();
    await hub.add('books', {
      items: 1,
      dims: 8,
      describe: () => FACTS,
      retrieve: async (requests, call) => (warming ? requests.map(answerTo) : model.retrieve(requests, call)),
      profile: async () => [],
      close: async () => undefined,
    });
    warming = false;
    expect(hub.utilization).toBe(0);
    const asked = hub.retrieve('books', { embedding, k: 1 });
    const run = await model.started(1);
    const before = hub.utilization;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(hub.utilization).toBeGreaterThan(before);
    run.end();
    await asked;
    await turns();
    const after = hub.utilization;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(hub.utilization).toBeLessThan(after);
  });
});
