// Every failure has one form, and names no file of the service; no body reaches a route but by its schema.
import { readFile, writeFile } from 'node:fs/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SilverlodeError } from '../../lib/errors.js';
import { errorAnswer } from '../../lib/serve/http/errors.js';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, smallModel, writeModel } from './models.js';
import { scoredModel, serve, type TestService } from './service.js';

const { path } = await tempFolder();
const request = { embedding: Array.from(queryVector()), k: 3 };
const LIMIT = 50_000;
let service: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel(), scored: await scoredModel() }, { limits: { bodyBytes: LIMIT } });
});
afterAll(() => service.close());

type Method = 'POST' | 'PATCH' | 'DELETE';
const send = (method: Method, url: string, payload: string | Buffer, headers: Record<string, string> = {}) =>
  service.app.inject({ method, url, payload, headers: { 'content-type': 'application/json', ...headers } });

describe('content types', () => {
  const routes: [Method, string, string][] = [
    ['POST', '/v1/models/books/retrieve', JSON.stringify(request)],
    ['POST', '/v1/models/books/items', JSON.stringify({ items: [{ id: 1, embedding: request.embedding }] })],
    ['PATCH', '/v1/models/books/items', JSON.stringify({ items: [{ id: 1, attributes: { language: 'de' } }] })],
    ['DELETE', '/v1/models/books/items', JSON.stringify({ ids: [1] })],
    ['POST', '/v1/models/books/rollback', JSON.stringify({ version: 1 })],
  ];
  const types = [
    'text/plain',
    'text/plain; charset=utf-8',
    'text/csv',
    'application/octet-stream',
    'a/b',
    'nonsense',
    '',
  ];
  test.each(routes)('%s %s takes JSON alone', async (method, url, payload) => {
    for (const type of types) {
      const response = await send(method, url, payload, { 'content-type': type });
      expect(response.statusCode, type).toBe(415);
      expect(response.json().error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.any(String) });
    }
    expect(
      (await send(method, url, payload, { 'content-type': 'application/json; charset=utf-8' })).statusCode,
    ).not.toBe(415);
  });

  test('the binary form is for retrieving alone', async () => {
    const headers = { 'content-type': 'application/x-silverlode' };
    for (const [method, url, payload] of routes.slice(1))
      expect((await send(method, url, Buffer.from(payload), headers)).statusCode).toBe(415);
  });
});

describe('compressed bodies', () => {
  const url = '/v1/models/books/retrieve';
  const json = JSON.stringify(request);

  test('gzip and deflate', async () => {
    const plain = (await send('POST', url, json)).json();
    const packed: [string, Buffer][] = [
      ['gzip', gzipSync(json)],
      ['GZIP', gzipSync(json)],
      ['deflate', deflateSync(json)],
    ];
    for (const [encoding, bytes] of packed)
      expect((await send('POST', url, bytes, { 'content-encoding': encoding })).json()).toEqual(plain);
  });

  test.each([
    ['an unknown encoding', 'br', Buffer.from(json), 415],
    ['what is not packed', 'gzip', Buffer.from(json), 400],
    ['what is cut off', 'gzip', gzipSync(json).subarray(0, 30), 400],
    ['more than the limit once unpacked', 'gzip', gzipSync(' '.repeat(20_000_000)), 413],
    ['nothing', 'gzip', gzipSync(''), 400],
  ])('%s', async (_, encoding, bytes, status) => {
    expect(bytes.length).toBeLessThan(LIMIT);
    const response = await send('POST', url, bytes, { 'content-encoding': encoding });
    expect(response.statusCode).toBe(status);
    expect(response.json().error.code).toBe(status === 413 ? 'LIMIT_EXCEEDED' : 'INVALID_ARGUMENT');
  });
});

describe('details', () => {
  test('64-bit ids are decimal strings', async () => {
    const id = String(2n ** 60n + 5n);
    const url = '/v1/models/scored/items';
    const unknown = await send('PATCH', url, JSON.stringify({ items: [{ id: '77', attributes: { language: 'de' } }] }));
    expect([unknown.statusCode, unknown.json().error]).toEqual([400, expect.objectContaining({ id: '77', item: 0 })]);
    const wrong = await send('PATCH', url, JSON.stringify({ items: [{ id, attributes: { language: 5 } }] }));
    expect([wrong.statusCode, wrong.json().error]).toEqual([400, expect.objectContaining({ id, field: 'language' })]);
    const again = { id, embedding: request.embedding };
    const repeated = await send('POST', url, JSON.stringify({ items: [again, again] }));
    expect([repeated.statusCode, repeated.json().error]).toEqual([400, expect.objectContaining({ id, item: 1 })]);
  });

  test('what has no form in JSON is left out, the rest is told', () => {
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    const { status, body } = errorAnswer(new SilverlodeError('INVALID_ARGUMENT', 'no', { loop, field: 'x' }));
    expect([status, body]).toEqual([400, { error: { code: 'INVALID_ARGUMENT', message: 'no' } }]);
    const facts = { ids: [1n], at: new Float32Array(1), path: '/secret' };
    const { error } = errorAnswer(new SilverlodeError('SHAPE_MISMATCH', 'no', facts)).body;
    expect(error).toEqual({ code: 'SHAPE_MISMATCH', message: 'no', ids: ['1'], at: { 0: 0 } });
  });

  test('no file of the service is named', async () => {
    const file = path('books.silverlode');
    await writeModel(file);
    await service.hub.load('rolling', file);
    await writeFile(file, await readFile(await writeModel(path('next.silverlode'), 1000)));
    await service.hub.load('rolling', file);
    const refused = await send('POST', '/v1/models/rolling/rollback', '{}');
    expect(refused.statusCode).toBe(400);
    expect(refused.body).not.toContain(path(''));
    for (const code of ['IO_ERROR', 'CORRUPT_FILE', 'INTERNAL'] as const) {
      const { status, body } = errorAnswer(new SilverlodeError(code, `cannot write ${file}`, { path: file }));
      expect([status, JSON.stringify(body).includes(file)]).toEqual([500, false]);
    }
  });
});

test.each(['/v1/%zz', `/v1/models/${'a'.repeat(5000)}`, '/nothing', '/v1/models/none'])('GET %s', async (url) => {
  const response = await service.app.inject({ url });
  expect([400, 404, 414]).toContain(response.statusCode);
  expect(response.json()).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
});
