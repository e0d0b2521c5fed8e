// `silverlode serve` as a process: one document on stdout, drain on SIGTERM, kill -9 in the middle of a swap, TLS.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { RetrievalModel } from 'silverlode';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { findProgram } from '../support/program.js';
import { tempFolder } from '../support/temp_folder.js';
import { queryVector, writeModel } from './models.js';
import { killAll, start } from './process.js';

const { path } = await tempFolder();
const body = JSON.stringify({ embedding: Array.from(queryVector()), k: 5 });

beforeAll(async () => {
  for (const n of [1, 2]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
});
afterEach(killAll);

function post(url: string, options: { agent?: Agent; headers?: Record<string, string>; ca?: Buffer } = {}) {
  const send = url.startsWith('https') ? httpsRequest : httpRequest;
  return new Promise<{ status: number; ids: number[]; connection?: string }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...options.headers };
    const request = send(url, { method: 'POST', ...options, headers, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        const { ids = [] } = JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, ids, connection: response.headers.connection });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('serves by file name until SIGTERM, answers what is in flight and exits with 0', async () => {
  const { child, document, stderr, exit } = await start(path('v1.silverlode'), path('v2.silverlode'));
  expect(document).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), models: ['v1', 'v2'] });
  const agent = new Agent({ keepAlive: true });
  const outcomes: Promise<string>[] = [];
  const answered = { count: 0 };
  const call = () =>
    post(`${document.url}/v1/models/v1/retrieve`, { agent }).then(
      ({ status, ids }) => {
        answered.count += 1;
        return status === 200 ? `200 with ${ids.length}` : String(status);
      },
      ({ code }: NodeJS.ErrnoException) => code ?? 'error',
    );
  // The signal comes while requests are on their way.
  for (let i = 0; i < 300; i++) {
    outcomes.push(call());
    if (i === 150) {
      while (answered.count < 20) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGTERM');
    }
  }
  const seen = new Set(await Promise.all(outcomes));
  agent.destroy();
  expect(await exit).toEqual([0, null]);
  // Nothing but that updates are not kept.
  const [line = '', ...more] = stderr().trim().split('\n');
  expect([JSON.parse(line).msg, more]).toEqual([expect.stringContaining('without --journal'), []]);
  // Accepted requests are answered; later ones are told to go elsewhere or find no listener.
  expect(seen.has('200 with 5')).toBe(true);
  for (const outcome of seen) expect(['200 with 5', '503', 'ECONNREFUSED', 'ECONNRESET']).toContain(outcome);
});

test.each(['SIGTERM', 'SIGINT'] as const)('an idle service with an open connection ends on %s', async (signal) => {
  const { child, document, exit } = await start(path('v1.silverlode'));
  const agent = new Agent({ keepAlive: true });
  expect((await post(`${document.url}/v1/models/v1/retrieve`, { agent })).status).toBe(200);
  child.kill(signal);
  expect(await exit).toEqual([0, null]);
  agent.destroy();
});

test('failures have their exit code and one reason', async () => {
  await expect(start(path('none.silverlode'))).rejects.toThrow(/^exit code 1: error: .*\(IO_ERROR\)\n$/);
  await expect(start(path('v1.silverlode'), path('v1.silverlode'))).rejects.toThrow(/called 'v1'/);
  const { document } = await start(path('v1.silverlode'));
  const port = new URL(document.url).port;
  await expect(start(path('v1.silverlode'), '--port', port)).rejects.toThrow(/cannot listen.*EADDRINUSE/);
});

test('kill -9 while versions are swapped: every file is still whole, and a new service serves', async () => {
  const folder = path('swapped');
  await mkdir(folder);
  const put = async (n: number) => {
    await copyFile(path(`v${n}.silverlode`), path('next'));
    await rename(path('next'), `${folder}/books.silverlode`);
  };
  await put(1);
  for (let round = 0; round < 5; round++) {
    const { child, document, exit } = await start('--watch', folder);
    while ((await post(`${document.url}/v1/models/books/retrieve`)).status !== 200)
      await new Promise((resolve) => setTimeout(resolve, 5));
    await put(1 + (round % 2));
    await new Promise((resolve) => setTimeout(resolve, 3 * round)); // the swap is at another step each time
    child.kill('SIGKILL');
    expect(await exit).toEqual([null, 'SIGKILL']);
    expect(await readdir(folder)).toEqual(['books.silverlode']);
    await using model = await RetrievalModel.load(`${folder}/books.silverlode`);
    const { ids } = await model.retrieve({ embedding: queryVector() });
    expect(Math.floor((ids[0] as number) / 1000)).toBe(1 + (round % 2));
  }
});

const openssl = findProgram('openssl');
test.skipIf(openssl === undefined)('speaks HTTPS and wants its token', async () => {
  const files = ['-keyout', path('key.pem'), '-out', path('cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes'];
  execFileSync(openssl as string, ['req', '-x509', '-newkey', 'rsa:2048', ...files, ...subject], { stdio: 'ignore' });
  await writeFile(path('token'), 'secret\n');
  const tls = ['--tls-key', path('key.pem'), '--tls-cert', path('cert.pem'), '--token-file', path('token')];
  const { document } = await start(path('v1.silverlode'), ...tls);
  expect(document.url).toMatch(/^https:/);
  const url = `${document.url}/v1/models/v1/retrieve`;
  expect((await post(url)).status).toBe(401);
  expect(await post(url, { headers: { authorization: 'Bearer secret' } })).toMatchObject({ status: 200 });
  await expect(post(url.replace('https', 'http'))).rejects.toThrow();
});
