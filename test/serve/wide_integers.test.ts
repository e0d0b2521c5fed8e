// Integers beyond 2^53 in bodies: float64 would merge neighbours, so that the wrong item is deleted or found.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeBinaryRequest } from '../../lib/serve/index.js';
import { DIMS, ITEMS, queryVector, smallModel } from './models.js';
import { namedModel, serve, type TestService } from './service.js';

const FIRST = 2n ** 53n + 1n;
const SELLER = 1610521604143693812n;
const id = (item: number) => FIRST + BigInt(item);
const seller = (item: number) => SELLER + BigInt(item);

let service: TestService;
beforeAll(async () => {
  const rows = Array.from({ length: ITEMS }, (_, item) => item);
  const data = Float32Array.from({ length: ITEMS * DIMS }, (_, i) => ((i * 7) % 11) - 5);
  const attributes = { seller: rows.map(seller), price: rows.map((row) => row + 0.5) };
  const items = { ids: rows.map(id), embeddings: { data, shape: [ITEMS, DIMS] }, attributes };
  service = await serve({ wide: await smallModel(0, { items }), named: await namedModel(), small: await smallModel() });
});
afterAll(() => service.close());

const embedding = JSON.stringify([...queryVector()]);
/** Bodies are texts, since JSON.stringify knows no such integers. */
const send = (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload: string, model = 'wide') =>
  service.app.inject({
    method,
    url: `/v1/models/${model}/${path}`,
    payload,
    headers: { 'content-type': 'application/json' },
  });
const found = async (more: string): Promise<string[]> =>
  (await send('POST', 'retrieve', `{"embedding":${embedding},"k":${ITEMS}${more}}`)).json().ids;

test('exclude and filters mean the item that they name', async () => {
  const all = await found('');
  for (const excluded of [`[${id(7)}]`, `["${id(7)}"]`])
    expect(all.filter((each) => each !== String(id(7)))).toEqual(await found(`,"exclude":${excluded}`));
  for (const filter of [`{"eq":["seller",${seller(5)}]}`, `{"in":["seller",[${seller(5)},${SELLER - 1n}]]}`])
    expect(await found(`,"filter":${filter}`)).toEqual([String(id(5))]);
  expect(await found(`,"filter":{"lt":["seller",${seller(2)}]}`)).toHaveLength(2);

  const head = { exclude: ['x'], k: ITEMS };
  const body = Buffer.from(encodeBinaryRequest(head, queryVector()));
  const exact = Buffer.from(body.toString('latin1').replace('["x"]', `[${id(7)}]`), 'latin1');
  exact.writeUInt32LE(body.readUInt32LE(0) + String(id(7)).length - 3);
  const padding = (8 - ((4 + exact.readUInt32LE(0)) % 8)) % 8;
  const payload = Buffer.concat([
    exact.subarray(0, 4 + exact.readUInt32LE(0)),
    Buffer.alloc(padding),
    exact.subarray(exact.length - 4 * DIMS),
  ]);
  const headers = { 'content-type': 'application/x-silverlode' };
  const answer = await service.app.inject({ method: 'POST', url: '/v1/models/wide/retrieve', payload, headers });
  expect(answer.json().ids).toEqual(all.filter((each) => each !== String(id(7))));
});

test('updates change the item that they name, to the value that they give', async () => {
  const vector = `[${Array(DIMS).fill(1)}]`;
  const items = `{"items":[{"id":${id(900)},"embedding":${vector},"attributes":{"seller":${seller(900)},"price":1}},
    {"id":5,"embedding":${vector},"attributes":{"seller":5,"price":1e17}}]}`;
  expect((await send('POST', 'items', items)).statusCode).toBe(200);
  expect(await found(`,"filter":"seller:${seller(900)}"`)).toEqual([String(id(900))]);
  expect(await found(',"filter":"price:1e17"')).toEqual(['5']);
  const patch = `{"items":[{"id":${id(8)},"attributes":{"seller":${seller(901)}}}]}`;
  expect((await send('PATCH', 'items', patch)).statusCode).toBe(200);
  expect(await found(`,"filter":"seller:${seller(901)}"`)).toEqual([String(id(8))]);
  expect(await found(`,"filter":"seller:${seller(8)}"`)).toEqual([]);
  expect((await send('DELETE', 'items', `{"ids":[${id(9)}]}`)).statusCode).toBe(200);
  const left = await found('');
  expect([id(8), id(9), id(10)].map((each) => left.includes(String(each)))).toEqual([true, false, true]);
});

test('what cannot be read exactly is refused', async () => {
  const wide = id(0);
  const request = `{"embedding":${embedding},"exclude":[${wide}]}`;
  for (const model of ['named', 'small']) {
    const refused = await send('POST', 'retrieve', request, model);
    expect([refused.statusCode, refused.json().error.code]).toEqual([400, 'INVALID_ARGUMENT']);
  }
  for (const body of [
    `{"embedding":${embedding},"deadlineMs":${wide}}`,
    `{"embedding":${embedding},"exclude":[${'9'.repeat(400)}]}`,
    `{"embedding":${embedding},"k":${wide}}`,
    `{"embedding":${embedding},"probes":${wide}}`,
  ])
    expect((await send('POST', 'retrieve', body)).statusCode, body).toBe(400);
  const inexact = `{"items":[{"id":${id(1)},"attributes":{"price":${wide}}}]}`;
  expect((await send('PATCH', 'items', inexact)).statusCode).toBe(400);
  const beyond = `{"items":[{"id":${id(1)},"attributes":{"seller":${2n ** 63n}}}]}`;
  expect((await send('PATCH', 'items', beyond)).statusCode).toBe(400);
});

test('numbers that are float32 in the end are rounded to it', async () => {
  const heads = `[[${Array(DIMS).fill('9007199254740993')}]]`;
  expect((await send('POST', 'retrieve', `{"embedding":${heads},"k":1}`)).statusCode).toBe(200);
});
