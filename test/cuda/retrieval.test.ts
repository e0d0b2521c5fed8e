// One model file, loaded on the CPU and on a GPU: the same answers.
import { readFile } from 'node:fs/promises';
import { nn, RetrievalModel, type RetrieveRequest, type RetrieveResult } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { columnsOf } from '../index/catalogue.js';
import { answerOf, publishCatalogue, randomCatalogue, randomRequest, randomVectors } from '../retrieval/catalogue.js';
import { publish } from '../retrieval/publish.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const seed = Date.now() % 1_000_000;
console.log(`seed ${seed}`);

describe('requests by embedding', async () => {
  const random = new Random(seed);
  const catalogue = randomCatalogue(random, { items: 1500, dims: 40, metric: 'cosine', bias: true, attributes: true });
  const path = folder.path('plain.silverlode');
  {
    const index = { clusters: 24, probes: 5 };
    await using model = await publishCatalogue(catalogue, { index, device: 'cpu' });
    await model.save(path);
  }
  const requests: RetrieveRequest[] = Array.from({ length: 48 }, (_, i) => {
    const { given } = randomRequest(random, catalogue, i % 5 === 4 ? 2 : 1);
    return { ...given, probes: i % 3 === 0 ? 2 : undefined, exact: i % 7 === 6 ? false : undefined };
  });
  const onCpu = await RetrievalModel.load(path, { device: 'cpu' });
  const expected = (await onCpu.retrieve(requests)).map(answerOf);
  const statsOf = (results: unknown[]) => results.map((result) => (result as RetrieveResult).stats);

  test.each([
    ['as graphs', { graphs: true }],
    ['kernel by kernel', { graphs: false }],
    ['in small batches', { maxBatch: 5 }],
  ])('have the ids, scores and stats of the CPU, %s', async (_, options) => {
    await using onGpu = await RetrievalModel.load(path, { device: 'cuda', ...options });
    const stats = statsOf(await onCpu.retrieve(requests));
    for (let i = 0; i < 3; i++) {
      const results = await onGpu.retrieve(requests);
      expect(results.map(answerOf)).toEqual(expected);
      expect(statsOf(results)).toEqual(stats);
    }
  });

  test('one by one, many in flight', async () => {
    await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
    await expectCode('DEVICE_UNAVAILABLE', async () => onGpu.retrieveSync(requests[0] as RetrieveRequest));
    const results = await Promise.all(requests.slice(0, 12).map((request) => onGpu.retrieve(request)));
    expect(results.map(answerOf)).toEqual(expected.slice(0, 12));
  });

  test('leave the model what it is: saved from the GPU it is the same file', async () => {
    const again = folder.path('again.silverlode');
    await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
    await onGpu.save(again);
    expect((await readFile(again)).equals(await readFile(path))).toBe(true);
  });

  test('are explained and profiled: variant, memory on the device, stages', async () => {
    await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
    const { variant, memory } = await onGpu.explain(requests[0] as RetrieveRequest);
    expect(variant).toMatch(/sm_\d+/);
    const { deviceBytes, bytes } = onGpu.describe();
    expect(memory.deviceBytes).toBe(deviceBytes + memory.arenaBytes + memory.preparedBytes);
    expect(deviceBytes).toBeGreaterThan(1500 * 40);
    expect(deviceBytes).toBeLessThanOrEqual(bytes);
    const stages = await onGpu.profile(
      requests.slice(0, 3).map((request) => ({ ...request, embedding: catalogue.data.slice(0, 40) })),
    );
    expect(stages.length).toBeGreaterThan(3);
    for (const { milliseconds } of stages) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });

  test('with a bad one among them fail in that one alone', async () => {
    await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
    const [good] = requests as [RetrieveRequest];
    const results = await onGpu.retrieve([good, { ...good, filter: 'nofield:1' }, good]);
    expect(results[1]).toMatchObject({ code: 'UNKNOWN_FIELD' });
    expect([results[0], results[2]].map(answerOf)).toEqual([expected[0], expected[0]]);
  });

  test('after dispose are refused, those in flight are answered', async () => {
    const onGpu = await RetrievalModel.load(path, { device: 'cuda' });
    const answers = onGpu.retrieve(requests.slice(0, 6));
    onGpu.dispose();
    await expectCode('DISPOSED', () => onGpu.retrieve(requests));
    expect((await answers).map(answerOf)).toEqual(expected.slice(0, 6));
  });
});

test('requests with reranker and value agree within the tolerance of float stages', async () => {
  const random = new Random(seed);
  const [items, dims] = [600, 24];
  const catalogue = randomCatalogue(random, { items, dims, attributes: true });
  const path = folder.path('scored.silverlode');
  const model = await publish({
    items: {
      ids: Array.from({ length: items }, (_, i) => `item ${i}`),
      embeddings: { data: catalogue.data, shape: [items, dims] },
      attributes: columnsOf(catalogue.attributes ?? []),
      features: { data: randomVectors(random, items, 3), shape: [items, 3], names: ['age', 'price', 'length'] },
    },
    index: { clusters: 12 },
    rerank: new nn.OverArch({ dims, features: 3, hidden: [32, 16], tasks: ['click', 'like'] }),
    value: 'sigmoid(click) + weight.like*exp(like) - if(age < 0, 0.1, log1p(abs(price)))',
    device: 'cpu',
  });
  await model.save(path);
  await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
  for (let i = 0; i < 8; i++) {
    const request = { embedding: randomVectors(random, 1, dims), k: 50, candidates: 300, weights: { like: i % 3 } };
    const [a, b] = [await model.retrieve(request), await onGpu.retrieve(request)];
    const scores = new Map(a.ids.map((id, at) => [id, a.scores[at] as number]));
    const shared = b.ids.filter((id) => scores.has(id));
    expect(shared.length).toBeGreaterThanOrEqual(49); // candidates at the edge may change places
    b.ids.forEach((id, at) => {
      const expected = scores.get(id) ?? (b.scores[at] as number);
      expect(Math.abs((b.scores[at] as number) - expected)).toBeLessThanOrEqual(1e-4 + 1e-4 * Math.abs(expected));
    });
  }
});
