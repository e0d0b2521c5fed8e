// Whatever comes in, the answer is a 4xx and the service goes on.
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const TOKEN = 'a-long-secret';
const request = { embedding: Array.from(queryVector()), k: 3 };
const url = '/v1/models/books/retrieve';
let service: TestService;
let guarded: TestService;
let port: number;

beforeAll(async () => {
  service = await serve({ books: await smallModel() }, { limits: { bodyBytes: 50_000 } });
  guarded = await serve({ books: await smallModel() }, { token: TOKEN });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as AddressInfo);
});
afterAll(() => Promise.all([service.close(), guarded.close()]));

const post = (payload: string | Buffer | object, headers: Record<string, string> = {}) =>
  service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } });

async function expectAlive(): Promise<void> {
  expect((await post(request)).statusCode).toBe(200);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
}

describe('bodies', () => {
  test.each([
    ['too large', JSON.stringify({ embedding: Array(30_000).fill(0.5) }), 413],
    ['no JSON', '{"embedding": [1', 400],
    ['empty', '', 400],
    ['null', 'null', 400],
    ['an array', '[1,2,3]', 400],
    ['a number', '5', 400],
    ['NaN', '{"embedding": [NaN]}', 400],
    ['numbers beyond float32', `{"embedding": [${Array(8).fill('1e300')}]}`, 400],
    ['deep nesting', `{"filter": ${'{"not":'.repeat(5000)}1${'}'.repeat(5000)}, "embedding": [1]}`, 400],
    ['deep arrays', `{"embedding": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 400],
    ['__proto__', '{"__proto__": {"polluted": true}, "embedding": [1]}', 400],
    ['constructor.prototype', '{"constructor": {"prototype": {"polluted": true}}, "embedding": [1]}', 400],
    ['__proto__ inside', `{"embedding": [${request.embedding}], "weights": {"__proto__": {"polluted": 1}}}`, 400],
    ['__proto__ in a filter', `{"embedding": [${request.embedding}], "filter": {"__proto__": {"all": true}}}`, 400],
    ['a filter of polluting names', { ...request, filter: '__proto__:1 OR constructor:2' }, 400],
    ['control characters in a filter', { ...request, filter: '\u0000\u001b[31m' }, 400],
    ['a user of polluting names', { user: { constructor: 1 } }, 400],
  ])('%s', async (_, payload, status) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(status);
    expect(response.json().error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    await expectAlive();
  });

  test.each(['text/plain', 'application/xml', 'multipart/form-data', ''])('content type %j', async (type) => {
    const response = await post(JSON.stringify(request), { 'content-type': type });
    expect(response.statusCode).toBe(415);
    await expectAlive();
  });

  test('random bytes, as JSON and as binary', async () => {
    const seed = 11;
    const random = new Random(seed);
    for (let i = 0; i < 300; i++) {
      const bytes = Buffer.from(Array.from({ length: random.integer(200) }, () => random.integer(256)));
      const type = random.pick(['application/json', 'application/x-silverlode']);
      const response = await post(bytes, { 'content-type': type });
      expect(response.statusCode, `seed ${seed}, body ${bytes.toString('hex')}`).toBe(400);
    }
    await expectAlive();
  });
});

describe('names', () => {
  test.each([
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e%2f',
    '%00',
    'books%00',
    '.hidden',
    '__proto__',
    'constructor',
    'a'.repeat(5000),
    '%c0%ae%c0%ae/',
    '%zz',
    'books%2f..%2fbooks',
  ])('%s', async (name) => {
    for (const route of [`/v1/models/${name}/retrieve`, `/v2/models/${name}/infer`, `/v1/models/${name}/rollback`]) {
      const response = await service.app.inject({ method: 'POST', url: route, payload: {} });
      expect(response.statusCode, route).toBeGreaterThanOrEqual(400);
      expect(response.statusCode, route).toBeLessThan(500);
      expect(response.body).not.toContain('root:');
    }
    await expectAlive();
  });
});

describe('sockets', () => {
  /** Sends bytes as they are and reads until the other side closes. */
  async function raw(bytes: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined); // the service may close while we write
    await once(socket, 'connect');
    socket.write(bytes);
    return text(socket).catch(() => '');
  }

  const head = `POST ${url} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`;

  test.each([
    [
      'a flood of headers',
      `${head}${Array.from({ length: 5000 }, (_, i) => `x-${i}: ${'y'.repeat(20)}\r\n`).join('')}\r\n`,
      431,
    ],
    ['a header without end', `${head}x: ${'y'.repeat(100_000)}\r\n\r\n`, 431],
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['a bad length', `${head}content-length: -1\r\n\r\n`, 400],
    ['two lengths', `${head}content-length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
    ['length and chunks', `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a length beyond the limit', `${head}content-type: application/json\r\ncontent-length: 999999999\r\n\r\n{`, 413],
  ])('%s', async (_, bytes, status) => {
    const answer = await raw(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const [, json = ''] = answer.split('\r\n\r\n');
    expect(JSON.parse(json)).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
    await expectAlive();
  });
});

describe('the token', () => {
  test('opens the service', async () => {
    for (const scheme of ['Bearer', 'bearer']) {
      const headers = { authorization: `${scheme} ${TOKEN}` };
      const response = await guarded.app.inject({ method: 'POST', url, payload: request, headers });
      expect(response.statusCode).toBe(200);
    }
  });

  const get = (options: InjectOptions) => guarded.app.inject(options);

  test('is required everywhere but for health and the page itself', async () => {
    for (const route of ['/v1/models', '/metrics', '/openapi.json', '/v2', '/v2/models/books', '/nothing'])
      expect((await get({ url: route })).statusCode, route).toBe(401);
    expect((await get({ method: 'POST', url, payload: request })).statusCode).toBe(401);
    for (const route of ['/healthz', '/readyz', '/v2/health/live', '/v2/health/ready', '/'])
      expect((await get({ url: route })).statusCode, route).toBe(200);
  });

  test.each(['a b', ' ', 'é', 'a\n', 'a"'])('that no header can carry is refused: %j', async (token) => {
    await expect(serve({}, { token })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${TOKEN}x`,
    `Bearer a`,
    `Basic ${TOKEN}`,
    'Bearer a-long',
    `bearer${TOKEN}`,
  ])('is refused as %j', async (authorization) => {
    const response = await get({ method: 'POST', url, payload: request, headers: { authorization } });
    expect(response.statusCode).toBe(401);
    expect(response.headers['www-authenticate']).toBe('Bearer');
    expect(response.body).not.toContain(TOKEN);
  });
});
