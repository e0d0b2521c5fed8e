// The service by inject(): answers, failures, models, health, metrics and the OpenAPI document.
import type { InjectOptions } from 'fastify';
import type { RetrieveResult } from 'silverlode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createService, decodeBinaryResult, encodeBinaryRequest } from '../../lib/serve/index.js';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, smallModel, writeModel } from './models.js';
import { namedModel, scoredModel, serve, type TestService, towerModel } from './service.js';

const { path } = await tempFolder();
const embedding = queryVector();
const asJson = Array.from(embedding);
let service: TestService;

beforeAll(async () => {
  service = await serve({
    books: await smallModel(),
    scored: await scoredModel(),
    named: await namedModel(),
    tower: await towerModel(),
  });
});
afterAll(() => service.close());

const inject = (options: InjectOptions) => service.app.inject(options);
const retrieve = (payload: object, model = 'books') =>
  inject({ method: 'POST', url: `/v1/models/${model}/retrieve`, payload });

describe('retrieve', () => {
  test('gives what the model gives', async () => {
    const request = { filter: 'language:en', k: 7, exclude: [0, 3, 6], weights: {}, deadlineMs: 60_000 };
    const response = await retrieve({ embedding: asJson, ...request });
    const expected = await service.hub.retrieve('books', { embedding, ...request });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ ids: expected.ids, scores: [...expected.scores], stats: expected.stats });
    expect(response.headers['server-timing']).toMatch(/^queue;dur=\d+\.\d+, run;dur=\d+\.\d+$/);
    expect(response.headers['silverlode-version']).toBe('1');
  });

  test('takes filters as trees', async () => {
    const text = await retrieve({ embedding: asJson, filter: 'NOT language:en' });
    const tree = await retrieve({ embedding: asJson, filter: { not: { eq: ['language', 'en'] } } });
    expect(tree.json()).toEqual(text.json());
  });

  test('several heads', async () => {
    const heads = [queryVector(1), queryVector(2)];
    const expected = await service.hub.retrieve('books', { embedding: heads });
    const response = await retrieve({ embedding: heads.map((head) => [...head]) });
    expect(response.json()).toMatchObject({ ids: expected.ids, scores: [...expected.scores] });
  });

  test('bigint ids are decimal strings, both ways; tasks come along', async () => {
    const expected = await service.hub.retrieve('scored', { embedding, k: 5, weights: { like: 2 } });
    const response = await retrieve({ embedding: asJson, k: 5, weights: { like: 2 } }, 'scored');
    const { ids, tasks } = response.json();
    expect(ids).toEqual(expected.ids.map(String));
    expect(tasks.like).toEqual(Array.from(expected.tasks?.like ?? []));
    const next = await retrieve({ embedding: asJson, k: 5, weights: { like: 2 }, exclude: ids.slice(0, 2) }, 'scored');
    expect(next.json().ids.slice(0, 3)).toEqual(ids.slice(2));
    const bad = await retrieve({ embedding: asJson, exclude: ['12x'] }, 'scored');
    expect(bad.json().error).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each([
    [{}, 400, 'INVALID_ARGUMENT'],
    [{ embedding: [1, 2] }, 400, 'SHAPE_MISMATCH'],
    [{ embedding: ['1'] }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: [1, [2]] }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, k: 0 }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, k: '5' }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, k: 10_001 }, 400, 'LIMIT_EXCEEDED'],
    [{ embedding: asJson, nonsense: 1 }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, user: { a: 1 } }, 400, 'INVALID_ARGUMENT'],
    [{ user: { a: 1 } }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, exclude: ['a'] }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, filter: 'shelf:1' }, 400, 'UNKNOWN_FIELD'],
    [{ embedding: asJson, filter: 'x'.repeat(70_000) }, 400, 'LIMIT_EXCEEDED'],
    [{ embedding: asJson, filter: { in: ['language', Array(9000).fill('x')] } }, 400, 'LIMIT_EXCEEDED'],
    [{ embedding: asJson, weights: { like: 1 } }, 400, 'INVALID_ARGUMENT'],
    [{ embedding: asJson, deadlineMs: 0 }, 503, 'DEADLINE'],
  ])('%j is refused', async (payload, status, code) => {
    const response = await retrieve(payload);
    expect(response.json().error).toMatchObject({ code, message: expect.any(String) });
    expect(response.statusCode).toBe(status);
  });

  test('errors keep their details', async () => {
    const { error } = (await retrieve({ embedding: asJson, filter: 'language:en AND' })).json();
    expect(error).toMatchObject({ code: 'FILTER_SYNTAX', position: expect.any(Number) });
  });

  test('unknown models and routes are 404', async () => {
    for (const url of ['/v1/models/films/retrieve', '/v1/models/films/nothing', '/nothing']) {
      const response = await inject({ method: 'POST', url, payload: { embedding: asJson } });
      expect(response.statusCode).toBe(404);
      expect(response.json().error.code).toBe('NOT_FOUND');
    }
  });
});

describe('binary bodies', () => {
  const BINARY = 'application/x-silverlode';

  function encode(head: object, vector: Float32Array = embedding): Buffer {
    const text = Buffer.from(JSON.stringify(head));
    const padding = (8 - ((4 + text.length) % 8)) % 8;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, text, Buffer.alloc(padding), Buffer.from(vector.buffer)]);
  }

  /** Reads a response by the layout that is documented. */
  function decode(body: Buffer) {
    const headLength = body.readUInt32LE(0);
    const head = JSON.parse(body.toString('utf8', 4, 4 + headLength));
    let at = Math.ceil((4 + headLength) / 8) * 8;
    const next = (bytes: number) => {
      const part = new Uint8Array(body.subarray(at, at + bytes)).buffer;
      at += Math.ceil(bytes / 8) * 8;
      return part;
    };
    const { count } = head;
    const ids = head.ids === 'json' ? head.names : [...new BigInt64Array(next(8 * count))];
    const scores = [...new Float32Array(next(4 * count))];
    const tasks = Object.fromEntries(head.tasks.map((name: string) => [name, [...new Float32Array(next(4 * count))]]));
    expect(at).toBe(body.length);
    return { ids, scores, tasks, stats: head.stats };
  }

  const post = (model: string, payload: Buffer, headers = {}) =>
    inject({
      method: 'POST',
      url: `/v1/models/${model}/retrieve`,
      payload,
      headers: { 'content-type': BINARY, accept: BINARY, ...headers },
    });
  const flat = ({ ids, scores, tasks = {} }: RetrieveResult) => ({
    scores: [...scores],
    ids,
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, logits]) => [name, [...logits]])),
  });

  test.each(['books', 'scored', 'named'])('in and out, %s', async (model) => {
    for (const k of [1, 2, 3, 50]) {
      const response = await post(model, encode({ k }));
      expect(response.headers['content-type']).toBe(BINARY);
      const expected = flat(await service.hub.retrieve(model, { embedding, k }));
      if (model === 'books') expected.ids = expected.ids.map((id) => BigInt(id));
      expect(decode(response.rawPayload)).toMatchObject(expected);
    }
  });

  test.each(['books', 'scored', 'named'])('the client reads what the layout says, %s', async (model) => {
    for (const head of [{ k: 7 }, { k: 1, filter: 'language:en' }, { filter: 'NOT *' }]) {
      const given = encodeBinaryRequest(head, embedding);
      expect(Buffer.from(given)).toEqual(encode(head));
      const { rawPayload } = await post(model, Buffer.from(given));
      const { ids, scores, tasks, stats } = decodeBinaryResult(new Uint8Array(rawPayload).buffer);
      const plain = Object.fromEntries(Object.entries(tasks).map(([name, logits]) => [name, [...logits]]));
      expect({ ids: [...ids], scores: [...scores], tasks: plain, stats }).toEqual(decode(rawPayload));
      expect(Array.isArray(ids)).toBe(model === 'named');
    }
  });

  test('inputs of a tower: in the body, as JSON, or some of each', async () => {
    const [taste, mood] = [queryVector(1), queryVector(2)];
    const expected = flat(await service.hub.retrieve('tower', { user: { taste, mood }, k: 9 }));
    expected.ids = expected.ids.map((id) => BigInt(id));
    const both = Float32Array.of(...mood, ...taste);
    const inputs = { mood: mood.length, taste: taste.length };
    const given = encodeBinaryRequest({ k: 9, inputs }, both);
    expect(Buffer.from(given)).toEqual(encode({ k: 9, inputs }, both));
    for (const body of [
      Buffer.from(given),
      encode({ k: 9, user: { mood: [...mood] }, inputs: { taste: taste.length } }, taste),
      encode({ k: 9, user: { mood: [...mood], taste: [...taste] } }, new Float32Array(0)),
    ]) {
      const response = await post('tower', body);
      expect(response.statusCode).toBe(200);
      expect(decode(response.rawPayload)).toMatchObject(expected);
    }
  });

  test.each([
    ['more numbers than inputs', { inputs: { taste: 3, mood: 4 } }],
    ['fewer numbers than inputs', { inputs: { taste: 8, mood: 8 } }],
    ['an input of the wrong length', { inputs: { taste: 4, mood: 4 } }],
    ['an unknown input', { inputs: { taste: 4, other: 4 } }],
    ['a length below 0', { inputs: { taste: -1, mood: 9 } }],
    ['a missing input', { inputs: { taste: 8 } }],
  ])('%s: refused', async (_, head) => {
    const response = await post('tower', encode(head));
    expect(response.statusCode).toBe(400);
    expect(response.json().error.code).toMatch(/^(INVALID_ARGUMENT|SHAPE_MISMATCH)$/);
  });

  test('inputs for a model without a tower are refused', async () => {
    const response = await post('books', encode({ inputs: { taste: 8 } }));
    expect(response.json().error).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('heads in one array; JSON out where no binary is asked for', async () => {
    const both = Float32Array.of(...queryVector(1), ...queryVector(2));
    const response = await post('books', encode({ heads: 2, filter: 'language:en' }, both), { accept: '*/*' });
    const expected = await service.hub.retrieve('books', {
      embedding: [queryVector(1), queryVector(2)],
      filter: 'language:en',
    });
    expect(response.json()).toMatchObject({ ids: expected.ids, scores: [...expected.scores] });
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a head longer than the body', Buffer.from([255, 255, 255, 255, 0])],
    ['a head that is no JSON', Buffer.from([2, 0, 0, 0, 120, 120])],
    ['half a number', Buffer.concat([encode({}), Buffer.alloc(2)])],
    ['heads that do not fit', encode({ heads: 3 })],
    ['an unknown field', encode({ embedding: [1] })],
    ['a polluting key', Buffer.concat([Buffer.from([21, 0, 0, 0]), Buffer.from('{"__proto__":{"k":1}}   ')])],
  ])('%s is refused', async (_, payload) => {
    const response = await post('books', payload);
    expect(response.statusCode).toBe(400);
    expect(response.json().error.code).toMatch(/^(INVALID_ARGUMENT|SHAPE_MISMATCH)$/);
  });
});

describe('models', () => {
  test('list, facts, versions, statistics', async () => {
    const { models } = (await inject({ url: '/v1/models' })).json();
    expect(models.map(({ name }: { name: string }) => name)).toEqual(['books', 'scored', 'named', 'tower']);
    expect(models[1]).toMatchObject({
      version: 1,
      state: 'serving',
      ids: 'bigint',
      tasks: ['click', 'like'],
      weights: [{ name: 'like', default: 0.5 }],
    });
    expect((await inject({ url: '/v1/models/books' })).json()).toEqual(models[0]);
    expect((await inject({ url: '/v1/models/books/versions' })).json()).toMatchObject({ versions: [{ version: 1 }] });
    const statistics = (await inject({ url: '/v1/models/books/statistics' })).json();
    expect(statistics).toMatchObject({ version: 1, queued: 0, running: 0, stages: null });
    expect(statistics.batchSizes.count).toBeGreaterThan(0);
    for (const url of ['', '/versions', '/statistics'])
      expect((await inject({ url: `/v1/models/films${url}` })).statusCode).toBe(404);
  });

  test('rollback; paths are told to nobody', async () => {
    for (const n of [1, 2]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
    for (const n of [1, 2]) await service.hub.load('rolling', path(`v${n}.silverlode`), { label: `v${n}` });
    const url = '/v1/models/rolling/rollback';
    expect((await inject({ method: 'POST', url })).json()).toMatchObject({ version: 1, label: 'v1', state: 'serving' });
    expect((await inject({ method: 'POST', url, payload: { version: 2 } })).json()).toMatchObject({ version: 2 });
    expect((await inject({ method: 'POST', url, payload: { version: 9 } })).statusCode).toBe(400);
    expect((await inject({ method: 'POST', url: '/v1/models/none/rollback' })).statusCode).toBe(404);
    for (const route of ['/v1/models', '/v1/models/rolling/versions'])
      expect((await inject({ url: route })).body).not.toContain(path(''));
    await service.hub.unload('rolling');
  });
});

describe('operation', () => {
  test('health: ready while there are models and nobody drains', async () => {
    const empty = await serve({});
    const status = async (url: string) => (await empty.app.inject({ url })).statusCode;
    expect(await Promise.all(['/healthz', '/v2/health/live', '/readyz', '/v2/health/ready'].map(status))).toEqual([
      200, 200, 503, 503,
    ]);
    await empty.hub.add('books', await smallModel());
    expect(await Promise.all(['/readyz', '/v2/health/ready'].map(status))).toEqual([200, 200]);
    empty.app.startDraining();
    expect(await Promise.all(['/healthz', '/readyz'].map(status))).toEqual([200, 503]);
    await empty.close();
  });

  test('metrics count what happened', async () => {
    const own = await serve({ books: await smallModel() });
    const call = (payload: object) => own.app.inject({ method: 'POST', url: '/v1/models/books/retrieve', payload });
    await Promise.all([1, 2, 3].map(() => call({ embedding: asJson })));
    await call({ embedding: asJson, filter: '(' });
    const { body, headers } = await own.app.inject({ url: '/metrics' });
    expect(headers['content-type']).toMatch(/^text\/plain/);
    const value = (line: string) =>
      Number(
        body
          .split('\n')
          .find((each) => each.startsWith(`${line} `))
          ?.split(' ')[1],
      );
    expect(value('silverlode_requests_total{model="books",code="ok"}')).toBe(3);
    expect(value('silverlode_requests_total{model="books",code="FILTER_SYNTAX"}')).toBe(1);
    expect(value('silverlode_batch_requests_count{model="books"}')).toBeGreaterThan(0);
    expect(value('silverlode_request_seconds_count{model="books",stage="run"}')).toBe(3);
    expect(value('silverlode_scanned_rows_sum{model="books"}')).toBe(900);
    expect(value('silverlode_queued_requests{model="books"}')).toBe(0);
    expect(value('silverlode_model_version{model="books"}')).toBe(1);
    expect(value('silverlode_model_bytes{model="books"}')).toBeGreaterThan(1000);
    expect(body).toContain('process_cpu_seconds_total');
    await own.close();
  });

  test('native stages come from a recent request', async () => {
    const own = await serve({ books: await smallModel() }, { profileEveryMs: 5 });
    await own.app.inject({ method: 'POST', url: '/v1/models/books/retrieve', payload: { embedding: asJson } });
    const stages = async () => (await own.app.inject({ url: '/v1/models/books/statistics' })).json().stages;
    while ((await stages()) === null) await new Promise((resolve) => setTimeout(resolve, 5));
    const sample = await stages();
    expect(sample.version).toBe(1);
    expect(sample.stages.map(({ op }: { op: string }) => op)).toContain('ivf_scan');
    expect((await own.app.inject({ url: '/metrics' })).body).toMatch(/silverlode_stage_seconds_count\{.*\} 1/);
    await own.close();
  });

  test('the OpenAPI document names every route and the schemas that validate', async () => {
    const document = (await inject({ url: '/openapi.json' })).json();
    expect(Object.keys(document.paths).sort()).toEqual([
      '/healthz',
      '/metrics',
      '/readyz',
      '/v1/models',
      '/v1/models/{name}',
      '/v1/models/{name}/compact',
      '/v1/models/{name}/get',
      '/v1/models/{name}/items',
      '/v1/models/{name}/retrieve',
      '/v1/models/{name}/rollback',
      '/v1/models/{name}/save',
      '/v1/models/{name}/statistics',
      '/v1/models/{name}/versions',
      '/v2',
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models/{name}',
      '/v2/models/{name}/infer',
      '/v2/models/{name}/ready',
      '/v2/models/{name}/versions/{version}',
      '/v2/models/{name}/versions/{version}/infer',
      '/v2/models/{name}/versions/{version}/ready',
    ]);
    const { content } = document.paths['/v1/models/{name}/retrieve'].post.requestBody;
    expect(Object.keys(content)).toEqual(['application/json', 'application/x-silverlode']);
    expect(content['application/json'].schema.$ref).toBe('#/components/schemas/RetrieveRequest');
    expect(document.components.schemas.RetrieveRequest.properties.k.maximum).toBe(10_000);
    expect(document.components.schemas.RetrieveResult.required).toEqual(['ids', 'scores', 'stats']);
  });

  test('a service that is closed leaves its hub as it was', async () => {
    const events = ['run', 'version', 'refused'] as const;
    const counts = () => events.map((event) => service.hub.listenerCount(event));
    const before = counts();
    const another = await createService(service.hub);
    expect(counts()).not.toEqual(before);
    await another.close();
    expect(counts()).toEqual(before);
    expect((await retrieve({ embedding: asJson })).statusCode).toBe(200);
  });

  test('options that are none are refused', async () => {
    for (const options of [{ limits: { k: 0 } }, { limits: { nonsense: 5 } as never }, { token: '' }])
      await expect(serve({}, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
