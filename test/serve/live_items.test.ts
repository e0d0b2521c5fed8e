// Item updates over HTTP on a real model: what was accepted is seen by the next request, and a swap keeps serving.
import { RetrievalModel } from 'silverlode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, ITEMS, queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const folder = await tempFolder();
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

test('where folding lags behind: 503, when to try again, and what became of folding', async () => {
  const file = folder.path('full.silverlode');
  await using published = await smallModel();
  await published.save(file);
  const model = await RetrievalModel.load(file, { maxFreshItems: 2, compaction: { waitMs: 0 } });
  const full = await serve({ full: model });
  const upsert = (...ids: number[]) =>
    full.app.inject({
      method: 'POST',
      url: '/v1/models/full/items',
      payload: { items: ids.map((id) => ({ id, embedding: best })) },
    });
  const [taken, refused] = await Promise.all([upsert(9000, 9001), upsert(9002)]);
  expect(taken.statusCode).toBe(200);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  expect(refused.json().error).toMatchObject({ code: 'OVERLOADED', maxFreshItems: 2 });
  expect((await upsert(9002, 9003, 9004)).json().error.code).toBe('LIMIT_EXCEEDED');
  await full.app.inject({ method: 'POST', url: '/v1/models/full/compact' });
  expect((await upsert(9002)).statusCode).toBe(200);
  const { body } = await full.app.inject({ url: '/metrics' });
  expect(body).toMatch(/silverlode_folds_total\{model="full"\} [1-9]/);
  expect(body).toContain('silverlode_fold_failures_total{model="full"} 0');
  expect(body).toMatch(/silverlode_fold_running\{model="full"\} [01]/);
  expect(body).toMatch(/silverlode_fold_seconds\{model="full"\} 0\.\d/);
  await full.close();
});
