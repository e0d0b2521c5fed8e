// Item updates over HTTP on a real model: what was accepted is seen by the next request, and a swap keeps serving.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DIMS, ITEMS, queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

let service: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel() });
});
afterAll(() => service.close());

const embedding = Array.from(queryVector());
/** Far out in the direction of the query: always the best. */
const best = embedding.map((x) => 10 * x);
type Method = 'POST' | 'PATCH' | 'DELETE';
const change = (method: Method, payload: object) =>
  service.app.inject({ method, url: '/v1/models/books/items', payload });
async function first(filter?: string): Promise<number> {
  const payload = { embedding, filter, k: 1 };
  return (await service.app.inject({ method: 'POST', url: '/v1/models/books/retrieve', payload })).json().ids[0];
}

test('upsert, change of attributes, delete', async () => {
  const old = await first();
  const item = { id: 9000, embedding: best, attributes: { language: 'fr' } };
  expect((await change('POST', { items: [item] })).json()).toEqual({ accepted: 1, durable: false });
  expect([await first(), await first('language:fr'), await first('NOT language:fr')]).toEqual([9000, 9000, old]);
  const { models } = (await service.app.inject({ url: '/v1/models' })).json();
  expect(models[0]).toMatchObject({ items: ITEMS + 1, updatable: true, freshness: { freshItems: 1 } });

  expect((await change('PATCH', { items: [{ id: 9000, attributes: { language: 'pt' } }] })).statusCode).toBe(200);
  expect(await first('language:pt')).toBe(9000);
  expect((await change('DELETE', { ids: [9000, 123456] })).statusCode).toBe(200);
  expect(await first()).toBe(old);
  const { body } = await service.app.inject({ url: '/metrics' });
  for (const kind of ['upsert', 'patch', 'delete'])
    expect(body).toContain(`silverlode_update_seconds_count{model="books",kind="${kind}"} 1`);
});

test('a bad update is refused and changes nothing', async () => {
  const before = await first();
  const short = { id: 9001, embedding: best.slice(1) };
  const response = await change('POST', { items: [short] });
  expect([response.statusCode, response.json().error.code]).toEqual([400, 'SHAPE_MISMATCH']);
  expect((await change('PATCH', { items: [{ id: 9001, attributes: { language: 'x' } }] })).statusCode).toBe(400);
  expect(await first()).toBe(before);
  expect(best).toHaveLength(DIMS);
});
