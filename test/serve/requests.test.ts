// Lists of requests, and what is said of fields that a body may not have.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const embedding = queryVector();
const asJson = Array.from(embedding);
let service: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel() });
});
afterAll(() => service.close());

const retrieve = (payload: object) => service.app.inject({ method: 'POST', url: '/v1/models/books/retrieve', payload });

test('a body may hold what a request may hold, and nothing else', async () => {
  const known = (message: string) => message.split('known: ')[1]?.split(', ').sort();
  const asked = service.hub.retrieve('books', { embedding, nonsense: 1 } as never);
  const refused = await asked.catch((error: Error) => error);
  const response = await retrieve({ embedding: asJson, nonsense: 1 });
  expect(known(response.json().error.message)).toEqual(known((refused as Error).message));
});

test('a list is answered by a list, in which a bad request fails alone', async () => {
  const good = { embedding: asJson, k: 4, filter: 'language:en' };
  const list = [good, { ...good, k: 0 }, { ...good, filter: '(' }, { ...good, nonsense: 1 }, { ...good, k: 2 }];
  const response = await retrieve(list);
  expect(response.statusCode).toBe(200);
  const { ids, scores, stats } = await service.hub.retrieve('books', { ...good, embedding });
  const [first, ...others] = response.json();
  expect(first).toEqual({ ids, scores: [...scores], stats });
  const failed = others
    .slice(0, 3)
    .map(({ error }: { error: { code: string; field?: string } }) => [error.code, error.field]);
  expect(failed).toEqual([
    ['INVALID_ARGUMENT', 'k'],
    ['FILTER_SYNTAX', undefined],
    ['INVALID_ARGUMENT', 'nonsense'],
  ]);
  expect(others[3].ids).toEqual(ids.slice(0, 2));
});

test.each([
  ['no request', [], 'INVALID_ARGUMENT'],
  ['something else', [{ embedding: asJson }, null], 'INVALID_ARGUMENT'],
  ['more requests than a call may have', Array(257).fill({ embedding: asJson }), 'LIMIT_EXCEEDED'],
  ['more results than a call may have', Array(30).fill({ embedding: asJson, k: 10_000 }), 'LIMIT_EXCEEDED'],
])('a list of %s is refused as a whole', async (_, list, code) => {
  const response = await retrieve(list);
  expect([response.statusCode, response.json().error.code]).toEqual([400, code]);
});

test.each([
  ['/v1/models/books/retrieve', 'POST', { embedding: asJson, limit: 5 }, 'limit', 'embedding, user, filter, like,'],
  [
    '/v1/models/books/items',
    'POST',
    { items: [{ id: 1, embedding: asJson, vector: [1] }] },
    'vector',
    'id, embedding,',
  ],
  ['/v1/models/books/items', 'DELETE', { ids: [1], force: true }, 'force', 'ids'],
  ['/v1/models/books/rollback', 'POST', { to: 1 }, 'to', 'version'],
  ['/v1/models/books/retrieve', 'POST', { embedding: asJson, k: 'five' }, 'k', 'must be integer'],
  ['/v1/models/books/items', 'POST', { items: [{ embedding: asJson }] }, 'id', "required property 'id'"],
] as const)('%s %s %j: names the field and what is known', async (url, method, payload, field, words) => {
  const { error } = (await service.app.inject({ method, url, payload })).json();
  expect(error).toEqual({ code: 'INVALID_ARGUMENT', field, message: expect.stringContaining(words) });
  expect(error.message).toContain(field);
});
