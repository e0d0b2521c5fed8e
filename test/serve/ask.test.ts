// Over HTTP a request may ask from what it may ask from in the process, and gets the same.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBinaryResult, encodeBinaryRequest } from '../../lib/serve/index.js';
import { queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const embedding = queryVector();
const TYPE = 'application/x-silverlode';
let service: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel() });
});
afterAll(() => service.close());

const url = '/v1/models/books/retrieve';
const post = (payload: object) => service.app.inject({ method: 'POST', url, payload });

/** The ids 1, 5 and 100, as pyroaring writes them. */
const BITMAP = Buffer.from([0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 16, 0, 0, 0, 1, 0, 5, 0, 100, 0]);

describe.each([
  ['liked items', { like: [3, 7], dislike: [9], k: 5 }],
  ['the nearest to any', { like: [3, 7], strategy: 'best', k: 5 } as const],
  ['given candidates', { embedding, rank: [3, 4, 5, 9999] }],
  ['allowed ids', { embedding, allow: [1, 5, 100], filter: 'language:de' }],
  ['a bitmap of them', { embedding, allow: BITMAP }],
  ['boosts and variety', { embedding, k: 9, boost: [{ filter: 'language:en', factor: 3 }], diversity: { mmr: 0.6 } }],
  ['the second page', { embedding, k: 7, offset: 7 }],
  ['a least score', { embedding, minScore: 0.5 }],
  [
    'groups, and what is shown of items',
    { embedding, k: 9, groups: { field: 'language', limit: 3 }, select: ['language'] },
  ],
])('%s', (_, request) => {
  const wanted = async () => {
    const { ids, scores, items, next, unknown } = await service.hub.retrieve('books', request);
    return { ids, scores: [...scores], items, next, unknown };
  };

  test('as JSON, alone and in a list', async () => {
    const allow = 'allow' in request && Buffer.isBuffer(request.allow) ? request.allow.toString('base64') : undefined;
    const body = { ...request, ...(allow && { allow }), ...('embedding' in request && { embedding: [...embedding] }) };
    const { stats, ...alone } = (await post(body)).json();
    expect(alone).toEqual(JSON.parse(JSON.stringify(await wanted())));
    expect(stats).toHaveProperty('strategy');
    const [first, second] = (await post([body, { ...body, nonsense: 1 }])).json();
    expect({ ids: first.ids, scores: first.scores }).toEqual({ ids: alone.ids, scores: alone.scores });
    expect(second.error).toMatchObject({ field: 'nonsense' });
  });

  test('in a binary body', async () => {
    const { embedding: by, allow, ...rest } = request as { embedding?: Float32Array; allow?: Uint8Array | number[] };
    const text = Buffer.isBuffer(allow) ? allow.toString('base64') : (allow as number[] | undefined);
    const payload = Buffer.from(encodeBinaryRequest({ ...rest, allow: text }, by ?? new Float32Array(0)));
    const headers = { 'content-type': TYPE, accept: TYPE };
    const { rawPayload } = await service.app.inject({ method: 'POST', url, payload, headers });
    const { ids, scores, items, next, unknown } = decodeBinaryResult(new Uint8Array(rawPayload).buffer);
    expect({ ids: Array.from(ids, Number), scores: [...scores], items, next, unknown }).toEqual(await wanted());
  });
});

test('items by their ids', async () => {
  const get = (payload: object) => service.app.inject({ method: 'POST', url: '/v1/models/books/get', payload });
  expect((await get({ ids: [3, 12_345, 4] })).json()).toEqual({
    items: [{ language: 'en' }, null, { language: 'de' }],
  });
  const { items } = (await get({ ids: [3], select: [], vectors: true })).json();
  expect(items).toEqual([{ vector: expect.arrayContaining([expect.any(Number)]) }]);
  const refused = await get({ ids: [3], select: ['colour'] });
  expect([refused.statusCode, refused.json().error.code]).toEqual([400, 'UNKNOWN_FIELD']);
  expect((await get({ ids: ['3'] })).statusCode).toBe(400);
  expect((await get({})).json().error.field).toBe('ids');
});

test('what a body stores comes back with results', async () => {
  const items = '/v1/models/books/items';
  const stored = { title: 'new', tags: ['a', null], deep: { pages: 3 } };
  const upsert = { items: [{ id: 5000, embedding: [...embedding], attributes: { language: 'en' }, stored }] };
  expect((await service.app.inject({ method: 'POST', url: items, payload: upsert })).statusCode).toBe(200);
  const found = (await post({ embedding: [...embedding], rank: [5000], select: ['title', 'deep', 'language'] })).json();
  expect(found.items).toEqual([{ title: 'new', deep: { pages: 3 }, language: 'en' }]);
  const got = await service.app.inject({ method: 'POST', url: '/v1/models/books/get', payload: { ids: [5000, 3] } });
  expect(got.json().items).toEqual([{ ...stored, language: 'en' }, { language: 'en' }]);
  const patch = { items: [{ id: 5000, stored: 'other' }] };
  const refused = await service.app.inject({ method: 'PATCH', url: items, payload: patch });
  expect([refused.statusCode, refused.json().error.message]).toEqual([400, expect.stringContaining("'stored'")]);
  await service.app.inject({ method: 'DELETE', url: items, payload: { ids: [5000] } });
});

test.each([
  ['bytes that are no bitmap', { embedding: [...embedding], allow: 'AAAA' }, 'INVALID_ARGUMENT', 'allow'],
  ['an unknown strategy', { like: [1], strategy: 'worst' }, 'INVALID_ARGUMENT', 'strategy'],
  ['an unknown liked id', { like: [12_345] }, 'INVALID_ARGUMENT', 'like'],
  [
    'more ids than a body may name',
    { embedding: [...embedding], rank: Array(10_001).fill(1) },
    'LIMIT_EXCEEDED',
    'rank',
  ],
])('%s are refused', async (_, body, code, field) => {
  const response = await post(body);
  expect(response.statusCode).toBe(400);
  expect(response.json().error).toMatchObject({ code, field });
});
