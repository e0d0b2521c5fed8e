// The Open Inference Protocol as its reference clients speak it: Triton's and KServe's, from PyPI, against a served model.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const library = fileURLToPath(new URL('../../dist', import.meta.url));
const script = (name: string) => fileURLToPath(new URL(`clients/${name}.py`, import.meta.url));
const work = mkdtempSync(path.join(tmpdir(), 'silverlode-clients-'));
const [DIMS, ITEMS] = [8, 300];
/** The queries of the scripts. */
const queries = [0, 1].map((row) => Float32Array.from({ length: DIMS }, (_, i) => -1 + (2 * (row * DIMS + i)) / 15));

interface Answer {
  ids: (number | bigint)[];
  scores: Float32Array;
}
let answers: Answer[];
let url: string;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const { publish } = (await import(`${library}/index.js`)) as typeof import('../../lib/index.js');
  const { createService, ModelHub } = (await import(
    `${library}/serve/index.js`
  )) as typeof import('../../lib/serve/index.js');
  const data = Float32Array.from({ length: ITEMS * DIMS }, (_, i) => Math.sin(i * 1.7) + Math.cos(i * 0.3));
  const language = Array.from({ length: ITEMS }, (_, i) => (i % 3 === 0 ? 'en' : 'de'));
  const model = (ids: Int32Array | BigInt64Array) =>
    publish({ items: { ids, embeddings: { data, shape: [ITEMS, DIMS] }, attributes: { language } } });
  const hub = new ModelHub();
  closing.push(() => hub.close());
  await hub.add('books', await model(Int32Array.from({ length: ITEMS }, (_, i) => i)));
  await hub.add('wide', await model(BigInt64Array.from({ length: ITEMS }, (_, i) => 2n ** 60n + BigInt(i))));
  answers = await Promise.all(
    queries.map((embedding) => hub.retrieve('books', { embedding, k: 3 })) as Promise<Answer>[],
  );
  const app = await createService(hub, { profileEveryMs: 0 });
  closing.push(() => app.close());
  await app.listen({ port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(work, { recursive: true, force: true });
});

/** Runs a script in an environment that has a package; the service goes on meanwhile. */
async function run(name: string, requirement: string, ...args: string[]) {
  const folder = path.join(work, name);
  execFileSync('python3', ['-m', 'venv', folder]);
  const python = path.join(folder, 'bin', 'python');
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement, 'numpy']);
  const { stdout } = await promisify(execFile)(python, [script(name), ...args]);
  return JSON.parse(stdout);
}

const ids = () => answers.flatMap((answer) => answer.ids);
const scores = () => answers.flatMap((answer) => [...answer.scores]);

test("Triton's client", async () => {
  const seen = await run('tritonclient_http', 'tritonclient[http]', new URL(url).host, 'books', 'wide');
  expect([seen.live, seen.ready, seen.models]).toEqual([true, true, [true, false, false]]);
  expect(seen.server.extensions).toContain('binary_tensor_data');
  expect(seen.model.inputs[0]).toEqual({ name: 'embedding', datatype: 'FP32', shape: [-1, DIMS] });
  for (const [how, answer] of Object.entries(seen.answers) as [string, Record<string, unknown[]>][]) {
    expect(answer.ids, how).toEqual(['int64', [2, 3], ids()]);
    expect(answer.scores, how).toEqual(['float32', [2, 3], scores()]);
  }
  expect(seen.answers.binary.counts).toEqual(['int32', [2], [3, 3]]);
  const [, shape, found] = seen.fields.ids;
  expect([shape, seen.fields.counts[2], found[2]]).toEqual([[2, 3], [2, 3], -1]);
  expect(found.slice(0, 2).every((id: number) => id % 3 === 0)).toBe(true);
  const rest = [seen.excluded.ids[2].slice(0, 298), seen.excluded.ids[2].slice(298)];
  expect(rest.map((row) => [0, 1, 2, 3].filter((id) => row.includes(id)))).toEqual([
    [2, 3],
    [0, 1],
  ]);
  expect(seen.bigint.ids).toEqual(['object', [2, 3], ids().map((id) => String(2n ** 60n + BigInt(id)))]);
  const { model, version, ...refused } = seen.refused;
  expect([model, version]).toEqual(['404', '404']);
  for (const [what, status] of Object.entries(refused)) expect(status, what).toBe('400');
});

describe("KServe's client", () => {
  test('sends JSON and binary data', async () => {
    const seen = await run('kserve_rest', 'kserve', url, 'books');
    const wanted = { ids: ids(), scores: scores() };
    expect(seen).toEqual({ live: true, ready: true, model: true, json: wanted, binary: wanted });
  });
});
