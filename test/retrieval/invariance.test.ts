// Contracts 1.6: the same bits on every SIMD level, thread count, batch size and run, also from a file.
import { nn, RetrievalModel, type RetrieveRequest } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { columnsOf } from '../index/catalogue.js';
import type { ReferenceCatalogue } from '../reference/retrieval.js';
import { testDevice } from '../support/device.js';
import { simdLevels, threadCounts } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { answerOf, publishCatalogue, randomCatalogue, randomRequest, randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const folder = await tempFolder();
const REQUESTS = testDevice === 'cpu' ? 64 : 16;
const seed = 20260501;
console.log(`seed ${seed}`);

/** Requests with different filters, k, excludes and heads. */
function mixedRequests(random: Random, catalogue: ReferenceCatalogue): RetrieveRequest[] {
  return Array.from({ length: REQUESTS }, (_, i) => {
    const { given } = randomRequest(random, catalogue, i % 5 === 4 ? 2 : 1);
    return { ...given, probes: i % 3 === 0 ? 2 : undefined, exact: i % 7 === 6 ? false : undefined };
  });
}

async function answers(model: RetrievalModel, requests: readonly RetrieveRequest[]) {
  return (await model.retrieve(requests)).map(answerOf);
}

function suite(name: string, make: () => Promise<{ model: RetrievalModel; requests: RetrieveRequest[] }>) {
  describe(name, async () => {
    const { model, requests } = await make();
    const path = folder.path(`${name.replace(/\W/g, '_')}.silverlode`);
    await model.save(path);
    const expected = await answers(model, requests);

    for (const simd of simdLevels) {
      for (const threads of threadCounts) {
        test(`answers are the same at level ${simd} with ${threads} threads, from a file`, async () => {
          await using loaded = await RetrievalModel.load(path, { simd, threads });
          expect(await answers(loaded, requests)).toEqual(expected);
        });
      }
    }

    test('answers are the same alone, in twos, sevens and all at once', async () => {
      for (const [i, request] of requests.entries())
        expect(answerOf(await model.retrieve(request))).toEqual(expected[i]);
      for (const size of [2, 7]) {
        for (let begin = 0; begin < requests.length; begin += size) {
          const some = requests.slice(begin, begin + size);
          expect(await answers(model, some)).toEqual(expected.slice(begin, begin + size));
        }
      }
    });

    test('answers are the same when larger batches are cut, and in another order', async () => {
      await using loaded = await RetrievalModel.load(path, { maxBatch: 3 });
      expect(await answers(loaded, requests)).toEqual(expected);
      expect(await answers(model, [...requests].reverse())).toEqual([...expected].reverse());
    });

    test('answers are the same on every run, many in flight at once', async () => {
      const runs = await Promise.all(Array.from({ length: 4 }, () => answers(model, requests)));
      for (const run of runs) expect(run).toEqual(expected);
    });

    test('a model saved again is the same file', async () => {
      const again = folder.path('again.silverlode');
      await using loaded = await RetrievalModel.load(path);
      await loaded.save(again);
      const { readFile } = await import('node:fs/promises');
      expect((await readFile(again)).equals(await readFile(path))).toBe(true);
    });
  });
}

for (const metric of ['ip', 'cosine', 'l2'] as const) {
  suite(`requests by embedding, ${metric}`, async () => {
    const random = new Random(seed);
    const catalogue = randomCatalogue(random, { items: 1000, dims: 40, metric, bias: true, attributes: true });
    const model = await publishCatalogue(catalogue, { index: { clusters: 20, probes: 5 } });
    return { model, requests: mixedRequests(random, catalogue) };
  });
}

for (const metric of ['ip', 'l2'] as const) {
  suite(`a rotated index, ${metric}`, async () => {
    const random = new Random(seed);
    const plain = randomCatalogue(random, { items: 1000, dims: 40, metric, attributes: true });
    const catalogue = { ...plain, data: plain.data.map((x, i) => x + (i % 40) / 4) };
    const model = await publishCatalogue(catalogue, { index: { clusters: 20, probes: 5, rotate: 'auto' } });
    expect(model.describe().rotation).toMatchObject({ applied: true, aligned: metric === 'ip' });
    return { model, requests: mixedRequests(random, catalogue) };
  });
}

suite('requests with rerank and value', async () => {
  const random = new Random(seed);
  const catalogue = randomCatalogue(random, { items: 800, dims: 24, attributes: true });
  const rerank = new nn.OverArch({ dims: 24, features: 3, hidden: [32, 16], tasks: ['click', 'like'] });
  const model = await publish({
    items: {
      ids: Array.from({ length: 800 }, (_, i) => `item ${i}`),
      embeddings: { data: catalogue.data, shape: [800, 24] },
      attributes: columnsOf(catalogue.attributes ?? []),
      features: { data: randomVectors(random, 800, 3), shape: [800, 3], names: ['age', 'price', 'length'] },
    },
    index: { clusters: 16 },
    rerank,
    value: 'sigmoid(click) + weight.like*exp(like) - if(age < 0, 0.1, log1p(abs(price)))',
  });
  const requests = Array.from({ length: REQUESTS }, (_, i) => {
    const { given } = randomRequest(random, catalogue);
    return { ...given, exclude: undefined, candidates: 1 + random.integer(400), weights: { like: i % 4 } };
  });
  return { model, requests };
});

test('publishing is deterministic for a seed at any thread count', async () => {
  const catalogue = randomCatalogue(new Random(seed), { items: 2500, dims: 20, attributes: true });
  const { readFile } = await import('node:fs/promises');
  const files: Buffer[] = [];
  for (const threads of [1, 2, 3]) {
    const path = folder.path(`${threads}.silverlode`);
    await using model = await publishCatalogue(catalogue, { index: { clusters: 30 }, threads, seed: 9 });
    await model.save(path);
    files.push(await readFile(path));
  }
  for (const file of files) expect(file.equals(files[0] as Buffer)).toBe(true);
});
