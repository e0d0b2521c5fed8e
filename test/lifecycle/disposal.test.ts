import { publish, RetrievalModel, type RetrieveResult } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { answerOf, publishCatalogue, randomCatalogue, randomVectors } from '../retrieval/catalogue.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const random = new Random(1);
const catalogue = randomCatalogue(random, { items: 5000, dims: 64, attributes: true });
const path = folder.path('model.silverlode');
{
  await using model = await publishCatalogue(catalogue, { index: { clusters: 40 } });
  await model.save(path);
}
const requests = Array.from({ length: 64 }, () => ({ embedding: randomVectors(random, 1, 64), k: 20, filter: '*' }));
const [request] = requests as [(typeof requests)[0]];
const batch = { embeddings: request.embedding, count: 1, k: 3 };

describe('dispose', () => {
  test('refuses new calls with DISPOSED', async () => {
    const model = await RetrievalModel.load(path);
    model.dispose();
    model.dispose();
    await model.close();
    await expectCode('DISPOSED', () => model.retrieve(request));
    await expectCode('DISPOSED', () => model.retrieve([request]));
    await expectCode('DISPOSED', () => model.retrieveBatch(batch));
    await expectCode('DISPOSED', () => model.explain(request));
    await expectCode('DISPOSED', () => model.profile(request));
    await expectCode('DISPOSED', () => model.save(folder.path('disposed')));
    await expectCode('DISPOSED', () => model.tune({ queries: { data: request.embedding, shape: [1, 64] } }));
    expect([model.items, model.dims]).toEqual([5000, 64]);
  });

  test('lets work in flight finish: retrieve, save, tune, explain and profile', async () => {
    const model = await RetrievalModel.load(path);
    const expected = (await model.retrieve(requests)).map(answerOf);
    const queries = { data: randomVectors(random, 20, 64), shape: [20, 64] as const };
    const work = [
      model.retrieve(requests),
      model.retrieve(requests.map((each) => ({ ...each, k: 3000 }))), // a bucket that is not planned yet
      model.retrieveBatch(batch),
      model.save(folder.path('late.silverlode')),
      model.tune({ queries, k: 10 }),
      model.explain(request),
      model.profile(requests),
    ] as const;
    model.dispose();
    await expectCode('DISPOSED', () => model.retrieve(request));
    const [first, second] = await Promise.all(work);
    expect(first.map(answerOf)).toEqual(expected);
    expect(second.every((result) => (result as RetrieveResult).ids.length === 3000)).toBe(true);
    await using saved = await RetrievalModel.load(folder.path('late.silverlode'));
    expect((await saved.retrieve(requests)).map(answerOf)).toEqual(expected);
  });

  test('close waits for the work in flight', async () => {
    const model = await RetrievalModel.load(path);
    let done = 0;
    const work = Array.from({ length: 5 }, () => model.retrieve(requests).then(() => done++));
    await model.close();
    expect(done).toBe(5);
    await Promise.all(work);
  });

  test('using and await using dispose the model at the end of the block', async () => {
    const kept: RetrievalModel[] = [];
    {
      using model = await RetrievalModel.load(path);
      await using other = await RetrievalModel.load(path);
      kept.push(model, other);
      expect(answerOf(await model.retrieve(request))).toEqual(answerOf(await other.retrieve(request)));
    }
    for (const model of kept) await expectCode('DISPOSED', () => model.retrieve(request));
    const third = await RetrievalModel.load(path);
    third[Symbol.dispose]();
    await third[Symbol.asyncDispose]();
    await expectCode('DISPOSED', () => third.retrieve(request));
  });

  test('of one model leaves others from the same file alone', async () => {
    const [first, second] = await Promise.all([RetrievalModel.load(path), RetrievalModel.load(path)]);
    const expected = answerOf(await first.retrieve(request));
    first.dispose();
    expect(answerOf(await second.retrieve(request))).toEqual(expected);
    await second.close();
  });

  test('right after an abort and right after a deadline is clean', async () => {
    for (let i = 0; i < 20; i++) {
      const model = await RetrievalModel.load(path);
      const controller = new AbortController();
      const aborted = model.retrieve(requests, { signal: controller.signal }).catch((error) => error.code);
      const late = model.retrieve({ ...request, deadlineMs: 0 }).catch((error) => error.code);
      controller.abort();
      expect(await Promise.all([aborted, late])).toEqual(['ABORTED', 'DEADLINE']);
      await model.close();
    }
  });
});

test('results outlive the model', async () => {
  const model = await RetrievalModel.load(path);
  const result = await model.retrieve(request);
  const before = answerOf(result);
  await model.close();
  expect(answerOf(result)).toEqual(before);
});

describe('inputs changed or detached right after the call do not change the result', () => {
  test('of retrieve and retrieveBatch', async () => {
    await using model = await RetrievalModel.load(path, { maxBatch: 2 });
    for (const detach of [false, true]) {
      const own = requests.slice(0, 9).map(({ embedding }, i) => ({
        embedding: embedding.slice(),
        k: 10,
        exclude: Int32Array.of(i, i + 1),
      }));
      const embeddings = Float32Array.from(own.flatMap(({ embedding }) => [...embedding]));
      const flat = { embeddings, count: 9, k: 10, exclude: own.map(({ exclude }) => exclude.slice()) };
      const expected = (await model.retrieve(own)).map(answerOf);
      const answers = model.retrieve(own);
      const flatAnswers = model.retrieveBatch(flat);
      for (const { buffer } of [embeddings, ...own.flatMap(({ embedding, exclude }) => [embedding, exclude])]) {
        if (detach) structuredClone(buffer, { transfer: [buffer] });
        else new Uint8Array(buffer).fill(1);
      }
      own.forEach((each) => {
        Object.assign(each, { k: 1, exclude: undefined });
      });
      own.length = 0;
      flat.exclude.length = 0;
      expect((await answers).map(answerOf)).toEqual(expected);
      const { ids } = await flatAnswers;
      expect(Array.from<unknown>(ids)).toEqual(expected.flatMap((answer) => answer.ids));
    }
  });

  test('of publish, for catalogues that are copied in one piece', async () => {
    const given = () => ({
      items: {
        ids: Int32Array.from({ length: 5000 }, (_, i) => i),
        embeddings: { data: catalogue.data.slice(), shape: [5000, 64] as const },
      },
      index: { clusters: 40, bias: new Float32Array(5000).fill(0.5) },
      queries: { data: randomVectors(new Random(2), 30, 64), shape: [30, 64] as const },
    });
    await using untouched = await publish(given());
    const expected = (await untouched.retrieve(requests)).map(answerOf);
    for (const detach of [false, true]) {
      const own = given();
      const publishing = publish(own);
      for (const { buffer } of [own.items.ids, own.items.embeddings.data, own.index.bias, own.queries.data]) {
        if (detach) structuredClone(buffer, { transfer: [buffer] });
        else new Uint8Array(buffer).fill(7);
      }
      await using model = await publishing;
      expect((await model.retrieve(requests)).map(answerOf)).toEqual(expected);
    }
  });

  test('of publish: a large array that is detached meanwhile is refused', async () => {
    const data = new Float32Array(100_000 * 64).fill(1);
    const ids = Int32Array.from({ length: 100_000 }, (_, i) => i);
    const publishing = publish({ items: { ids, embeddings: { data, shape: [100_000, 64] } } });
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await expectCode('INVALID_ARGUMENT', () => publishing);
  });
});

test('more buckets in flight than are kept', async () => {
  await using model = await RetrievalModel.load(path);
  const some = Array.from({ length: 40 }, (_, i) => ({ embedding: requests[i]?.embedding, k: 2 ** (i % 13) }));
  const sizes = Array.from({ length: 40 }, (_, i) => some.slice(0, 1 + (i % 33)));
  const answers = await Promise.all(sizes.map((list) => model.retrieve(list)));
  const alone = await Promise.all(some.map((each) => model.retrieve(each)));
  answers.forEach((results) => {
    results.forEach((result, i) => {
      expect(answerOf(result)).toEqual(answerOf(alone[i]));
    });
  });
});
