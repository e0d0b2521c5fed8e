import { nn, type RetrieveRequest } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { standInQueries } from '../../lib/index/recall/stand_ins.js';
import { testDevice } from '../support/device.js';
import { expectCode } from '../support/ops.js';
import { randomVectors } from './catalogue.js';
import { publish } from './publish.js';

type Metric = 'ip' | 'cosine' | 'l2';
const [items, dims, k] = [2500, 12, 20];
const random = new Random(77);
const data = randomVectors(random, items, dims);
for (let item = 10; item < items; item += 10) data.copyWithin(item * dims, (item - 1) * dims, item * dims); // equal scores
data.fill(0, 50 * dims, 60 * dims);
const shape = [items, dims] as const;
const ids = Array.from({ length: items }, (_, item) => `item ${item}`);
const year = Int32Array.from({ length: items }, (_, item) => 1900 + (item % 100));
const bias = Float32Array.from({ length: items }, (_, item) => (item % 50 === 0 ? 0.7 : 0));

/** As the metrics are defined, in float64; a prior counts once, with l2 twice. */
function score(metric: Metric, item: number, query: Float32Array, prior: number): number {
  const row = [...data.subarray(item * dims, (item + 1) * dims)];
  const dot = row.reduce((sum, value, dim) => sum + value * (query[dim] as number), 0);
  if (metric === 'ip') return dot + prior;
  if (metric === 'l2')
    return -row.reduce((sum, value, dim) => sum + (value - (query[dim] as number)) ** 2, 0) + 2 * prior;
  return (dot === 0 ? 0 : dot / Math.hypot(...row) / Math.hypot(...query)) + prior;
}

/** Share of the answer that scores at least as much as the last of the best k that may come back. */
function shareOf(
  metric: Metric,
  found: readonly unknown[],
  request: RetrieveRequest,
  priors: Float32Array | undefined,
) {
  const heads = request.embedding as readonly Float32Array[];
  const scoreOf = (item: number) => Math.max(...heads.map((head) => score(metric, item, head, priors?.[item] ?? 0)));
  const excluded = new Set(request.exclude ?? []);
  const may = (item: number) =>
    !excluded.has(ids[item] as string) && (request.filter === undefined || (year[item] as number) < 1940);
  const best = Array.from(ids.keys())
    .filter(may)
    .map(scoreOf)
    .sort((a, b) => b - a)
    .slice(0, k);
  const hits = found.filter((id) => scoreOf(ids.indexOf(id as string)) >= (best.at(-1) as number) - 1e-9);
  return hits.length / best.length;
}

describe.each<[Metric, boolean]>([
  ['ip', false],
  ['ip', true],
  ['cosine', false],
  ['l2', false],
  ['l2', true],
])('measured recall, %s, priors %s', (metric, biased) => {
  test('is that of answers against every float64 score, with filters, exclusions and heads', async () => {
    await using model = await publish({
      items: { ids, embeddings: { data, shape }, attributes: { year } },
      index: { clusters: 40, probes: 3, metric, bias: biased ? bias : undefined },
    });
    const requests = Array.from({ length: 30 }, (_, i): RetrieveRequest => {
      const embedding = Array.from({ length: 1 + (i % 2) }, () => randomVectors(random, 1, dims));
      const exclude = i % 3 === 0 ? ids.filter(() => random.chance(0.02)) : undefined;
      return { embedding, k, exclude, filter: i % 5 === 0 ? 'year:<1940' : undefined };
    });
    const shares: number[] = [];
    for (const request of requests)
      shares.push(shareOf(metric, (await model.retrieve(request)).ids, request, biased ? bias : undefined));
    const exhaustive: number[] = [];
    for (const request of requests)
      exhaustive.push(
        shareOf(metric, (await model.retrieve({ ...request, probes: 40 })).ids, request, biased ? bias : undefined),
      );
    const mean = (some: readonly number[]) => some.reduce((sum, share) => sum + share, 0) / some.length;
    const stages = new Set<string>();
    const measured = await model.measureRecall(requests, {
      embeddings: { data, shape },
      onProgress: ({ stage }) => stages.add(stage),
    });
    expect(measured.recall).toBeCloseTo(mean(shares), 12);
    expect(measured.int8Recall).toBeCloseTo(mean(exhaustive), 12);
    expect(measured.recall).toBeLessThan(measured.int8Recall);
    expect(measured.int8Recall).toBeLessThan(1);
    expect(measured.worstTenth).toBe(shares.toSorted((a, b) => a - b)[3]);
    expect(measured.requests).toBe(30);
    expect([...stages]).toEqual(['truth', 'answers', 'int8']);
  });
});

describe('measured recall', () => {
  const requests = [{ embedding: randomVectors(random, 1, dims), k }];
  const given = { items: { ids, embeddings: { data, shape } }, index: { clusters: 20, probes: 2 } };

  test('leaves requests out for which nothing is eligible', async () => {
    await using model = await publish({ ...given, items: { ...given.items, attributes: { year } } });
    const nothing = { ...(requests[0] as RetrieveRequest), filter: 'year:>3000' };
    const options = { embeddings: { data, shape } };
    const both = await model.measureRecall([...requests, nothing], options);
    expect(both).toEqual(await model.measureRecall(requests, options));
    await expectCode('INVALID_ARGUMENT', () => model.measureRecall([nothing], options));
  });

  test('refuses embeddings of other items, models that rank again and models that have changed', async () => {
    await using model = await publish(given);
    const short = { data: data.subarray(dims), shape: [items - 1, dims] };
    await expectCode('SHAPE_MISMATCH', () => model.measureRecall(requests, { embeddings: short }));
    await expectCode('SHAPE_MISMATCH', () => model.measureRecall(requests, { embeddings: { ...short, shape } }));
    await expectCode('SHAPE_MISMATCH', () =>
      model.measureRecall(requests, { embeddings: undefined as unknown as { data: Float32Array; shape: [] } }),
    );
    await expectCode('INVALID_ARGUMENT', () => model.measureRecall([], { embeddings: { data, shape } }));
    const queries = { data: requests[0]?.embedding as Float32Array, shape: [1, dims] };
    const before = model.describe();
    await expectCode('SHAPE_MISMATCH', () => model.tune({ queries, embeddings: short }));
    expect(model.describe()).toEqual(before);
    await using ranked = await publish({ ...given, rerank: new nn.OverArch({ dims, hidden: [4], tasks: ['click'] }) });
    await expectCode('INVALID_ARGUMENT', () => ranked.measureRecall(requests, { embeddings: { data, shape } }));
    await model.delete(['item 3']);
    await expectCode('INVALID_ARGUMENT', () => model.measureRecall(requests, { embeddings: { data, shape } }));
    await model.compact();
    const left = {
      data: Float32Array.from([...data.subarray(0, 3 * dims), ...data.subarray(4 * dims)]),
      shape: [items - 1, dims],
    };
    expect((await model.measureRecall(requests, { embeddings: left })).int8Recall).toBeGreaterThan(0.9);
  });

  test('comes with tuning where the embeddings are given', async () => {
    await using model = await publish(given);
    const queries = { data: randomVectors(random, 40, dims), shape: [40, dims] };
    const tuned = await model.tune({ queries, recall: 0.9, k, embeddings: { data, shape } });
    const asked = Array.from({ length: 40 }, (_, q) => ({
      embedding: queries.data.slice(q * dims, (q + 1) * dims),
      k,
    }));
    const { recall } = await model.measureRecall(asked, { embeddings: { data, shape } });
    expect(tuned.trueRecall).toBe(recall);
    expect(tuned.recall).toBeGreaterThanOrEqual(0.9);
    expect(await model.tune({ queries, recall: 0.9, k })).not.toHaveProperty('trueRecall');
  });
});

describe('queries that items stand in for', () => {
  test('are distinct items and no zero vectors', async () => {
    const { data: rows, shape: made, items: chosen } = await standInQueries(data, shape, 2, 500, 1);
    expect(made).toEqual([500, 2 * dims]);
    const texts = Array.from({ length: 1000 }, (_, i) => rows.subarray(i * dims, (i + 1) * dims).join());
    expect(new Set(texts).size).toBe(1000);
    for (const [place, item] of chosen.entries())
      expect(texts[place]).toBe(data.subarray(item * dims, (item + 1) * dims).join());
    expect(texts).not.toContain(new Float32Array(dims).join());
    expect(await standInQueries(data, shape, 2, 500, 1)).toEqual({ data: rows, shape: made, items: chosen });
    expect((await standInQueries(data, shape, 2, 500, 2)).items).not.toEqual(chosen);
  });

  test('are as many as there are distinct items, and none of zero vectors alone', async () => {
    const few = new Float32Array([1, 0, 1, 0, 0, 0, 0, 1]);
    expect((await standInQueries(few, [4, 2], 1, 10, 0)).shape).toEqual([2, 2]);
    expect((await standInQueries(new Float32Array(8), [4, 2], 1, 10, 0)).shape).toEqual([0, 2]);
  });

  test('a catalogue of zero vectors is published all the same', async () => {
    const zeros = { data: new Float32Array(100 * dims), shape: [100, dims] };
    await using model = await publish({ items: { ids: ids.slice(0, 100), embeddings: zeros }, index: { clusters: 4 } });
    expect((await model.retrieve({ embedding: randomVectors(random, 1, dims), k: 100 })).ids.length).toBe(100);
  });

  test('no item counts itself: what its own list leaves out is not found again', async () => {
    const own = ids.slice(0, 30).map((id) => [id]);
    const queries = { data: data.slice(0, 30 * dims), shape: [30, dims] };
    await using model = await publish({
      items: { ids, embeddings: { data, shape } },
      index: { clusters: 40, probes: 1 },
    });
    // The nearest item is in the nearest cluster; that of the others is less sure.
    const itself = await model.tune({ queries, k: 1, recall: 1 });
    const others = await model.tune({ queries, k: 1, recall: 1, exclude: own });
    expect(others.probes).toBeGreaterThan(itself.probes);
    await expectCode('SHAPE_MISMATCH', () => model.tune({ queries, exclude: own.slice(1) }));
  });

  // `publish` of these tests gives queries on a GPU.
  test.runIf(testDevice === 'cpu')('a hint tells of them, and none where queries are given', async () => {
    const hints: unknown[] = [];
    const given = {
      items: { ids, embeddings: { data, shape } },
      index: { clusters: 20 },
      onProgress: ({ hint }: { hint?: string }) => hint && hints.push(hint),
    };
    await using _first = await publish(given);
    expect(hints).toEqual([expect.stringContaining('no queries were given')]);
    const queries = { data: randomVectors(random, 10, dims), shape: [10, dims] };
    await using _second = await publish({ ...given, queries });
    expect(hints).toHaveLength(1);
  });
});
