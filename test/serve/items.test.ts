// Item updates: what of a body reaches a model that takes them, and what a model without them answers.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isUpdatable, type ServedModel, type UpdatableModel } from '../../lib/serve/index.js';
import { smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const calls: unknown[][] = [];
let service: TestService;

/** A served model with recorded update methods. */
async function updatable(options: Parameters<typeof smallModel>[1] = {}) {
  const model = await smallModel(0, options);
  const record =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
    };
  const methods: UpdatableModel = {
    upsert: record('upsert'),
    delete: record('delete'),
    updateAttributes: record('updateAttributes'),
    updateFeatures: record('updateFeatures'),
  };
  const freshness = () => ({ freshItems: 7, freshBytes: 700, version: 3 });
  return Object.assign(model, methods, { freshness });
}

/** What serving needs and no more. */
async function fixed(): Promise<ServedModel> {
  const model = await smallModel();
  return {
    items: model.items,
    dims: model.dims,
    describe: () => model.describe(),
    retrieve: (...args) => model.retrieve(...args),
    profile: (requests) => model.profile(requests),
    close: () => model.close(),
  };
}

beforeAll(async () => {
  const featured = {
    items: { ids: [1], embeddings: { data: Float32Array.of(1), shape: [1, 1] as const }, attributes: {} },
  };
  const features = { data: Float32Array.of(1, 2), shape: [1, 2] as const, names: ['age', 'price'] };
  service = await serve({
    fixed: await fixed(),
    live: await updatable(),
    featured: await updatable({ items: { ...featured.items, features } }),
  });
});
afterAll(() => service.close());
beforeEach(() => {
  calls.length = 0;
});

type Method = 'POST' | 'PATCH' | 'DELETE';
const send = (method: Method, payload: object, name = 'live') =>
  service.app.inject({ method, url: `/v1/models/${name}/items`, payload });

test('a model says whether it takes updates', async () => {
  const { models } = (await service.app.inject({ url: '/v1/models' })).json();
  expect(models.map(({ updatable: is }: { updatable: boolean }) => is)).toEqual([false, true, true]);
  expect([isUpdatable(undefined), isUpdatable({ upsert: 1 })]).toEqual([false, false]);
  expect((await send('DELETE', { ids: [1] }, 'fixed')).statusCode).toBe(405);
  expect((await send('DELETE', { ids: [1] }, 'none')).statusCode).toBe(404);
});

test('POST puts columns together', async () => {
  const items = [
    { id: 5, embedding: [1, 2], attributes: { language: 'en', tags: ['a', 'b'] }, features: [1] },
    { id: 6, embedding: [3, 4], attributes: { language: null }, features: [2] },
  ];
  expect((await send('POST', { items })).json()).toEqual({ accepted: 2, durable: false });
  expect(calls).toEqual([
    [
      'upsert',
      {
        ids: [5, 6],
        embeddings: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
        attributes: { language: ['en', null], tags: [['a', 'b'], null] },
        features: { data: Float32Array.of(1, 2), shape: [2, 1] },
      },
    ],
  ]);
});

test('PATCH changes only what is given', async () => {
  const items = [
    { id: 1, attributes: { language: 'fr' } },
    { id: 2, attributes: { year: 1990, language: 'de' } },
    { id: 3, attributes: { language: 'en' }, features: [9] },
    { id: 4, features: [8] },
  ];
  expect((await send('PATCH', { items })).statusCode).toBe(200);
  expect(calls).toEqual([
    ['updateAttributes', [1, 3], { language: ['fr', 'en'] }],
    ['updateAttributes', [2], { year: [1990], language: ['de'] }],
    ['updateFeatures', [3, 4], { data: Float32Array.of(9, 8), shape: [2, 1] }],
  ]);
  expect((await send('PATCH', { items: [{ id: 1, embedding: [1] }] })).statusCode).toBe(400);
});

test('PATCH changes feature columns by name', async () => {
  const items = [
    { id: 1, features: { age: 1 } },
    { id: 2, features: { price: 2, age: 3 } },
    { id: 3, features: { age: 4 } },
    { id: 4, features: [5, 6] },
  ];
  expect((await send('PATCH', { items })).json()).toEqual({ accepted: 4, durable: false });
  expect(calls).toEqual([
    ['updateFeatures', [1, 3], { age: Float32Array.of(1, 4) }],
    ['updateFeatures', [2], { price: Float32Array.of(2), age: Float32Array.of(3) }],
    ['updateFeatures', [4], { data: Float32Array.of(5, 6), shape: [1, 2] }],
  ]);
});

test('POST takes features by name, all of them', async () => {
  const put = (features: object) => send('POST', { items: [{ id: 1, embedding: [1], features }] }, 'featured');
  expect((await put({ price: 2, age: 1 })).statusCode).toBe(200);
  expect(calls[0]?.[1]).toMatchObject({ features: { data: Float32Array.of(1, 2), shape: [1, 2] } });
  for (const features of [{ age: 1 }, { age: 1, price: 2, other: 3 }]) {
    const { error } = (await put(features)).json();
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: expect.any(String) });
    expect(error.message).toContain('age, price');
  }
});

test('many items with attributes of their own are refused before a table is made of them', async () => {
  const own = (item: number) => Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${item}-${i}`, 1]));
  const items = Array.from({ length: 500 }, (_, id) => ({ id, embedding: [0], attributes: own(id) }));
  const response = await send('POST', { items });
  expect([response.statusCode, response.json().error.code]).toEqual([400, 'LIMIT_EXCEEDED']);
  const patched = await send('PATCH', { items: items.map(({ id, attributes }) => ({ id, attributes })) });
  expect([patched.statusCode, patched.json().error.code]).toEqual([400, 'LIMIT_EXCEEDED']);
  expect(calls).toEqual([]);
  const shared = Array.from({ length: 10_000 }, (_, id) => ({ id, attributes: own(0) }));
  expect((await send('PATCH', { items: shared.slice(0, 2000) })).statusCode).toBe(200);
  expect(calls).toHaveLength(1);
});

test('DELETE', async () => {
  expect((await send('DELETE', { ids: [1, 2] })).json()).toEqual({ accepted: 2, durable: false });
  expect(calls).toEqual([['delete', [1, 2]]]);
});

test.each<[Method, object]>([
  ['POST', {}],
  ['POST', { items: [] }],
  ['POST', { items: [{ id: 1 }] }],
  ['POST', { items: [{ id: '1', embedding: [1] }] }],
  ['POST', { items: [{ id: 1, embedding: [] }] }],
  [
    'POST',
    {
      items: [
        { id: 1, embedding: [1] },
        { id: 2, embedding: [1, 2] },
      ],
    },
  ],
  ['POST', { items: [{ id: 1, embedding: [1], shelf: 2 }] }],
  ['POST', { items: [{ id: 1, embedding: [1], attributes: { a: { b: 1 } } }] }],
  ['PATCH', { items: [{ attributes: {} }] }],
  ['PATCH', { items: [{ id: 1, attributes: { language: 'en' } }, { id: 2 }] }],
  [
    'PATCH',
    {
      items: [
        { id: 1, attributes: { language: 'en' } },
        { id: 'two', attributes: { year: 1 } },
      ],
    },
  ],
  ['PATCH', { items: [{ id: 1, features: {} }] }],
  ['PATCH', { items: [{ id: 1, features: { age: '1' } }] }],
  ['DELETE', { ids: [] }],
  ['DELETE', { ids: ['one'] }],
])('%s %j is refused, and nothing is changed', async (method, payload) => {
  const response = await send(method, payload);
  expect(response.statusCode).toBe(400);
  expect(calls).toEqual([]);
});

test('where updates stand, and how long they take to show', async () => {
  await send('DELETE', { ids: [1] });
  const { body } = await service.app.inject({ url: '/metrics' });
  expect(body).toContain('silverlode_fresh_items{model="live"} 7');
  expect(body).toContain('silverlode_fresh_bytes{model="live"} 700');
  expect(body).toMatch(/silverlode_update_seconds_count\{model="live",kind="delete"\} \d/);
  expect(body).not.toContain('silverlode_fresh_items{model="fixed"}');
  const { models } = (await service.app.inject({ url: '/v1/models' })).json();
  expect(models[1].freshness).toEqual({ freshItems: 7, freshBytes: 700, version: 3 });
});

test('changes can be left out', async () => {
  const closed = await serve({}, { changes: false });
  expect(
    (await closed.app.inject({ method: 'DELETE', url: '/v1/models/live/items', payload: { ids: [1] } })).statusCode,
  ).toBe(404);
  await closed.close();
});
