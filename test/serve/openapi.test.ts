// The OpenAPI document: two validators take it, and a client that is generated from it compiles and works.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import SwaggerParser from '@apidevtools/swagger-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

const { path } = await tempFolder();
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const bin = (name: string) => `${modules}/.bin/${name}`;
let service: TestService;
let guarded: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel() });
  guarded = await serve({}, { token: 'secret' });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  await symlink(modules, path('node_modules'));
});
afterAll(() => Promise.all([service.close(), guarded.close()]));

test.each(['open', 'with a token'])(
  'is valid, %s',
  async (kind) => {
    const { app } = kind === 'open' ? service : guarded;
    const headers = { authorization: 'Bearer secret' };
    const document = (await app.inject({ url: '/openapi.json', headers })).json();
    await writeFile(path('openapi.json'), JSON.stringify(document));
    await SwaggerParser.validate(structuredClone(document));
    const { status, stdout, stderr } = spawnSync(bin('redocly'), ['lint', path('openapi.json'), '--format', 'json'], {
      encoding: 'utf8',
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    });
    expect(JSON.parse(stdout || '{}').problems, stderr).toEqual([]);
    expect(status).toBe(0);
    expect(document.security).toEqual(kind === 'open' ? [] : [{ token: [] }]);
  },
  180_000,
);

const CLIENT = `
import createClient from 'openapi-fetch';
import type { paths } from './schema.js';

const [url = '', vector = '[]'] = process.argv.slice(2);
const embedding: number[] = JSON.parse(vector);
const client = createClient<paths>({ baseUrl: url });
const params = { path: { name: 'books' } };

const found = await client.POST('/v1/models/{name}/retrieve', { params, body: { embedding, k: 3, filter: 'language:en' } });
const tree = await client.POST('/v1/models/{name}/retrieve', {
  params,
  body: { embedding, k: 3, filter: { eq: ['language', 'en'] }, exclude: [1, '2'].slice(0, 1), weights: {}, deadlineMs: 5000 },
});
const bad = await client.POST('/v1/models/{name}/retrieve', { params, body: { embedding, filter: '(' } });
const metadata = await client.GET('/v2/models/{name}', { params });
const versioned = await client.GET('/v2/models/{name}/versions/{version}', { params: { path: { name: 'books', version: '1' } } });
const rollback = await client.POST('/v1/models/{name}/rollback', { params });
const put = await client.POST('/v1/models/{name}/items', {
  params,
  body: { items: [{ id: 9000, embedding, attributes: { language: 'fr', tags: ['a', 'b'], year: null } }] },
});
const patched = await client.PATCH('/v1/models/{name}/items', { params, body: { items: [{ id: 9000, attributes: { year: 1 } }] } });
const deleted = await client.DELETE('/v1/models/{name}/items', { params, body: { ids: [9000] } });
const models = await client.GET('/v1/models');
const statistics = await client.GET('/v1/models/{name}/statistics', { params });
const inferred = await client.POST('/v2/models/{name}/infer', {
  params,
  body: { inputs: [{ name: 'embedding', shape: [1, embedding.length], datatype: 'FP32', data: embedding }], parameters: { k: 3 } },
});
const ready = await client.GET('/readyz');
const ids: (string | number)[] | undefined = found.data?.ids;
const score: number | null | undefined = found.data?.scores[0];
console.log(
  JSON.stringify({
    ids,
    score,
    tree: tree.data?.ids,
    code: bad.error?.error.code,
    inputs: metadata.data?.inputs[0]?.name,
    versions: versioned.data?.versions,
    rollback: rollback.error?.error.message,
    durable: [put.data?.durable, patched.data?.durable, deleted.data?.durable],
    fields: models.data?.models[0]?.fields[0]?.name,
    answered: statistics.data?.answered,
    inferred: inferred.data?.outputs[0]?.data,
    ready: ready.data?.ready,
  }),
);
`;

test('a generated client compiles and works', async () => {
  await writeFile(path('openapi.json'), (await service.app.inject('/openapi.json')).body);
  execFileSync(bin('openapi-typescript'), [path('openapi.json'), '-o', path('schema.ts')], { stdio: 'pipe' });
  await writeFile(path('client.ts'), CLIENT);
  await writeFile(path('package.json'), '{"type": "module"}');
  const types = ['--types', 'node', '--typeRoots', `${modules}/@types`];
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', ...types];
  const compiled = spawnSync(bin('tsc'), [...options, path('client.ts')], { encoding: 'utf8', cwd: path('') });
  expect(compiled.stdout).toBe('');
  const embedding = queryVector();
  const { ids, scores } = await service.hub.retrieve('books', { embedding, k: 3, filter: 'language:en' });
  const all = await service.hub.retrieve('books', { embedding, k: 3 });
  const { port } = service.app.server.address() as AddressInfo;
  const args = [path('client.js'), `http://127.0.0.1:${port}`, JSON.stringify([...embedding])];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(JSON.parse(stdout)).toEqual({
    ids,
    score: scores[0],
    tree: ids,
    code: 'FILTER_SYNTAX',
    inputs: 'embedding',
    versions: ['1'],
    rollback: expect.stringContaining('no earlier version'),
    durable: [false, false, false],
    fields: 'language',
    answered: expect.any(Number),
    inferred: all.ids,
    ready: true,
  });
}, 180_000);
