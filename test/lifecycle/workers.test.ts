import { Worker } from 'node:worker_threads';
import type { RetrievalModel, RetrieveResult } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { publishCatalogue, randomCatalogue, randomVectors } from '../retrieval/catalogue.js';
import { importLine, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const random = new Random(1);
const catalogue = randomCatalogue(random, { items: 4000, dims: 48 });
const path = folder.path('model.silverlode');
const requests = Array.from({ length: 32 }, () => ({ embedding: randomVectors(random, 1, 48), k: 20 }));
const model = await publishCatalogue(catalogue, { index: { clusters: 30 }, seed: 3 });
await model.save(path);
const expected = await answers(model);

async function answers(of: RetrievalModel) {
  return ((await of.retrieve(requests)) as RetrieveResult[]).map(({ ids, scores }) => [ids, [...scores]]);
}

function start(data: object): { worker: Worker; running: Promise<unknown>; answers: Promise<unknown> } {
  const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: { requests, ...data } });
  const message = (wanted: (value: unknown) => boolean) =>
    new Promise((resolve, reject) => {
      worker.on('message', (value) => wanted(value) && resolve(value));
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error('the worker ended')));
    });
  const [running, finished] = [message((value) => value === 'running'), message(Array.isArray)];
  for (const each of [running, finished]) each.catch(() => undefined);
  return { worker, running, answers: finished };
}

describe('worker threads', () => {
  test('eight load and query at once, half are terminated in flight', async () => {
    const workers = Array.from({ length: 8 }, (_, i) => start({ path, rounds: i % 2 === 0 ? 1e9 : 60 }));
    await Promise.all(workers.map(({ running }) => running));
    const ended = workers.filter((_, i) => i % 2 === 0).map(({ worker }) => worker.terminate());
    expect(await Promise.all(ended)).toEqual([1, 1, 1, 1]);
    const finished = await Promise.all(workers.filter((_, i) => i % 2 === 1).map((each) => each.answers));
    for (const result of finished) expect(result).toEqual(expected);
    expect(await answers(model)).toEqual(expected);
  });

  test('terminated while they load or publish, at any moment', async () => {
    for (let round = 0; round < 6; round++) {
      const given = round % 2 === 0 ? undefined : options();
      const { worker } = start({ path, rounds: 1e9, given });
      await new Promise((resolve) => setTimeout(resolve, 40 * round));
      expect([0, 1]).toContain(await worker.terminate()); // 0: it had not begun
    }
    expect(await answers(model)).toEqual(expected);
  });

  test('concurrent publish in two workers gives the same model as here', async () => {
    const pair = [start({ given: options(), rounds: 1 }), start({ given: options(), rounds: 1 })];
    for (const each of pair) expect(await each.answers).toEqual(expected);
  });

  function options() {
    const { data, items, dims } = catalogue;
    const ids = Int32Array.from({ length: items }, (_, i) => i);
    return { items: { ids, embeddings: { data, shape: [items, dims] } }, index: { clusters: 30 }, seed: 3 };
  }
});

describe('a process ends by itself', () => {
  const cases: Record<string, { body: string; output?: string; code?: number }> = {
    'with an idle model': { body: `await model.retrieve(request); console.log('idle');`, output: 'idle\n' },
    'after a retrieve that nobody waits for': {
      body: `model.retrieve(requests).then(() => console.log('answered'));`,
      output: 'answered\n',
    },
    'with a closed model': { body: `await model.close(); console.log('closed');`, output: 'closed\n' },
    'by process.exit with a retrieve in flight': {
      body: `for (let i = 0; i < 50; i++) model.retrieve(requests); setTimeout(() => process.exit(7), 5);`,
      code: 7,
    },
    'by process.exit right after a call': { body: `model.retrieve(requests); process.exit(7);`, code: 7 },
    'by process.exit during a publish': {
      body: `publish(given).catch(() => {}); setTimeout(() => process.exit(7), 60);`,
      code: 7,
    },
    'by an error with a retrieve in flight': {
      body: `for (let i = 0; i < 50; i++) model.retrieve(requests); setTimeout(() => { throw new Error('fault'); }, 5);`,
      code: 1,
    },
    'with a worker that has a retrieve in flight': {
      body: `const { Worker } = await import('node:worker_threads');
             const script = \`import('\${PACKAGE}').then(async ({ RetrievalModel }) => {
               const model = await RetrievalModel.load(\${JSON.stringify(path)});
               for (;;) await model.retrieve({ embedding: new Float32Array(48).fill(1) });
             });\`;
             new Worker(script, { eval: true });
             setTimeout(() => process.exit(7), 300);`,
      code: 7,
    },
  };

  for (const [name, { body, output = '', code = 0 }] of Object.entries(cases)) {
    test(name, async () => {
      const script = await folder.write(
        'script.mjs',
        `${importLine('publish, RetrievalModel')}
         const path = process.argv[2];
         const model = await RetrievalModel.load(path);
         const request = { embedding: new Float32Array(48).fill(1), k: 100 };
         const requests = new Array(64).fill(request);
         const data = Float32Array.from({ length: 20_000 * 48 }, (_, i) => Math.sin(i));
         const ids = Int32Array.from({ length: 20_000 }, (_, i) => i);
         const given = { items: { ids, embeddings: { data, shape: [20_000, 48] } }, index: { clusters: 256 } };
         ${body}`,
      );
      const child = runScript(script, { args: [path] });
      expect(child).toMatchObject({ code, signal: null, output });
      if (code !== 1) expect(child.errors).toBe('');
    });
  }
});
