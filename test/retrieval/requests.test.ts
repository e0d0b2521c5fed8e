import { type ItemId, type ItemIds, type RetrieveRequest, type RetrieveResult, SilverlodeError } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { answerOf, publishCatalogue, randomCatalogue, randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const data = Float32Array.of(1, 0, 0.9, 0.1, 0.1, 0.9, 0, 1, -1, 0);
const embeddings = { data, shape: [5, 2] as const };
const embedding = Float32Array.of(1, 0);

describe('ids of every accepted type come back in the type that was published', () => {
  const big = [2n ** 62n, -1n, 0n, -(2n ** 63n), 5n];
  const far = [2 ** 40, -1, 0, 7, 2 ** 53 - 1];
  test.each([
    ['string[]', ['a', '', 'ü 東京 😀', 'a b', '0'], Array],
    ['number[] of int32 size', [7, -1, 0, 2 ** 31 - 1, -(2 ** 31)], Int32Array],
    ['number[] of larger size', far, Float64Array],
    ['Int32Array', Int32Array.of(5, 4, 3, 2, 1), Int32Array],
    ['bigint[]', big, BigInt64Array],
    ['BigInt64Array', BigInt64Array.from(big), BigInt64Array],
  ] satisfies [string, ItemIds, unknown][])('%s', async (_, ids, arrayType) => {
    using model = await publish({ items: { ids, embeddings } });
    const all = Array.from<ItemId>(ids as ItemId[]);
    const expected = all.slice(0, 4);
    const { ids: found } = await model.retrieve({ embedding, k: 4 });
    expect(found).toEqual(expected);
    const batch = await model.retrieveBatch({ embeddings: embedding, count: 1, k: 4 });
    expect(batch.ids).toBeInstanceOf(arrayType as typeof Array);
    expect(Array.from<unknown>(batch.ids)).toEqual(expected);
    const without = await model.retrieve({ embedding, exclude: all });
    expect(without.ids).toEqual([]);
    const some = await model.retrieve({ embedding, exclude: new Set([all[0] as ItemId, all[2] as ItemId]) });
    expect(some.ids).toEqual([all[1], all[3], all[4]]);
  });
});

describe('exclude', async () => {
  const catalogue = randomCatalogue(new Random(2), { items: 500, dims: 8, attributes: true });
  const model = await publishCatalogue(catalogue, { index: { clusters: 10 } });
  const query = catalogue.data.slice(0, 8);
  const top = (await model.retrieve({ embedding: query, k: 500 })).ids as number[];

  test('is exact, for lists, typed arrays, Sets and iterators', async () => {
    const seen = top.slice(0, 300);
    for (const exclude of [seen, Int32Array.from(seen), Float64Array.from(seen), new Set(seen), seen.values()]) {
      expect((await model.retrieve({ embedding: query, k: 500, exclude })).ids).toEqual(top.slice(300));
    }
  });

  test('ignores unknown ids and repeated ones', async () => {
    const exclude = [-1, 1e15, top[0] as number, top[0] as number];
    expect((await model.retrieve({ embedding: query, k: 500, exclude })).ids).toEqual(top.slice(1));
  });

  test.each(['x', 7n, 0.5, Number.NaN, undefined, null, {}])(
    'of what is no id of the model is refused: %s',
    async (id) => {
      const exclude = [top[0] as number, id as number];
      const refused = { code: 'INVALID_ARGUMENT', field: 'exclude' };
      await expect(model.retrieve({ embedding: query, exclude })).rejects.toMatchObject(refused);
      const batch = { embeddings: query, count: 1, k: 1, exclude: [exclude] };
      await expect(model.retrieveBatch(batch)).rejects.toMatchObject(refused);
    },
  );

  test('of one request in a batch leaves the others alone', async () => {
    const requests = Array.from({ length: 5 }, (_, i) => ({ embedding: query, k: 3, exclude: top.slice(0, i) }));
    const results = (await model.retrieve(requests)) as RetrieveResult[];
    expect(results.map(({ ids }) => ids)).toEqual(requests.map((_, i) => top.slice(i, i + 3)));
  });

  test('refuses what is no collection of ids', async () => {
    for (const exclude of ['abc', 5, {}, null]) {
      await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding: query, exclude: exclude as never }));
    }
  });
});

describe('a list of requests', async () => {
  const catalogue = randomCatalogue(new Random(3), { items: 300, dims: 6, attributes: true });
  const model = await publishCatalogue(catalogue, { index: { clusters: 6 } });
  const query = catalogue.data.slice(0, 6);

  const bad: [string, unknown, SilverlodeError['code']][] = [
    ['no request', null, 'INVALID_ARGUMENT'],
    ['no user', {}, 'INVALID_ARGUMENT'],
    ['two users', { embedding: query, user: {} }, 'INVALID_ARGUMENT'],
    ['a tower it does not have', { user: { id: 1 } }, 'INVALID_ARGUMENT'],
    ['an unknown field', { embedding: query, top: 5 }, 'INVALID_ARGUMENT'],
    ['a list of numbers', { embedding: [...query] }, 'UNSUPPORTED_DTYPE'],
    ['a Float64Array', { embedding: Float64Array.from(query) }, 'UNSUPPORTED_DTYPE'],
    ['no heads', { embedding: [] }, 'UNSUPPORTED_DTYPE'],
    ['another number of dimensions', { embedding: new Float32Array(7) }, 'SHAPE_MISMATCH'],
    ['NaN', { embedding: query.map(() => Number.NaN) }, 'INVALID_ARGUMENT'],
    ['Infinity', { embedding: query.map(() => Infinity) }, 'INVALID_ARGUMENT'],
    ['magnitudes beyond float32 squares', { embedding: query.map(() => -1e30) }, 'INVALID_ARGUMENT'],
    ['k of 0', { embedding: query, k: 0 }, 'INVALID_ARGUMENT'],
    ['a negative k', { embedding: query, k: -1 }, 'INVALID_ARGUMENT'],
    ['half a k', { embedding: query, k: 0.5 }, 'INVALID_ARGUMENT'],
    ['a k in text', { embedding: query, k: '5' }, 'INVALID_ARGUMENT'],
    ['a k above the limit', { embedding: query, k: 2 ** 20 + 1 }, 'LIMIT_EXCEEDED'],
    ['probes of 0', { embedding: query, probes: 0 }, 'INVALID_ARGUMENT'],
    ['minCandidates of 0', { embedding: query, minCandidates: 0 }, 'INVALID_ARGUMENT'],
    ['an exact that is no boolean', { embedding: query, exact: 1 }, 'INVALID_ARGUMENT'],
    ['a negative deadline', { embedding: query, deadlineMs: -1 }, 'INVALID_ARGUMENT'],
    ['a deadline of NaN', { embedding: query, deadlineMs: Number.NaN }, 'INVALID_ARGUMENT'],
    ['an unknown weight', { embedding: query, weights: { like: 1 } }, 'INVALID_ARGUMENT'],
    ['a bad filter', { embedding: query, filter: 'flag:' }, 'FILTER_SYNTAX'],
    ['a filter that is none', { embedding: query, filter: 5 }, 'FILTER_SYNTAX'],
    ['an unknown field in a filter', { embedding: query, filter: 'nothing:1' }, 'UNKNOWN_FIELD'],
  ];

  test.each(bad)('refuses one with %s', async (_, request, code) => {
    await expectCode(code, () => model.retrieve(request as RetrieveRequest));
  });

  test('answers the good ones when others are bad: they fail alone', async () => {
    const good = { embedding: query, k: 7 };
    const expected = answerOf(await model.retrieve(good));
    const results = await model.retrieve([good, ...bad.flatMap(([, request]) => [request as RetrieveRequest, good])]);
    expect(results).toHaveLength(2 * bad.length + 1);
    results.forEach((result, i) => {
      if (i % 2 === 0) expect(answerOf(result)).toEqual(expected);
      else expect(result).toMatchObject({ name: 'SilverlodeError', code: bad[(i - 1) / 2]?.[2] });
    });
  });

  test('may be empty, or all bad', async () => {
    expect(await model.retrieve([])).toEqual([]);
    expect(await model.retrieve([{} as RetrieveRequest])).toEqual([expect.any(SilverlodeError)]);
  });

  test('gives fewer results when k is beyond the eligible items', async () => {
    expect((await model.retrieve({ embedding: query, k: 1_000_000 })).ids).toHaveLength(300);
    expect((await model.retrieve({ embedding: query })).ids).toHaveLength(100);
  });
});

describe('retrieveBatch', async () => {
  const catalogue = randomCatalogue(new Random(4), { items: 400, dims: 5, attributes: true });
  const model = await publishCatalogue(catalogue, { index: { clusters: 8 } });
  const count = 150;
  const queries = randomVectors(new Random(5), count, 5);

  test('gives flat arrays with offsets, equal to retrieve', async () => {
    const filters = Array.from({ length: count }, (_, i) => (i % 3 ? 'flag:true' : i % 2 ? 'NOT *' : undefined));
    const exclude = Array.from({ length: count }, (_, i) => (i % 4 ? [i, i + 1] : undefined));
    const batch = await model.retrieveBatch({ embeddings: queries, count, k: 9, filters, exclude });
    expect(batch.ids).toBeInstanceOf(Int32Array);
    expect(batch.offsets).toHaveLength(count + 1);
    for (let i = 0; i < count; i++) {
      const one = { embedding: queries.slice(5 * i, 5 * i + 5), k: 9, filter: filters[i], exclude: exclude[i] };
      const expected = await model.retrieve(one);
      const [begin, end] = [batch.offsets[i], batch.offsets[i + 1]];
      expect([...batch.ids.slice(begin, end)]).toEqual(expected.ids);
      expect(batch.scores.slice(begin, end)).toEqual(expected.scores);
    }
  });

  test('names the bad request, and runs nothing then', async () => {
    const filters = Array.from({ length: count }, (_, i) => (i === 77 ? 'flag:' : undefined));
    const refused = model.retrieveBatch({ embeddings: queries, count, k: 9, filters });
    await expect(refused).rejects.toMatchObject({ code: 'FILTER_SYNTAX', request: 77 });
  });

  test('takes an empty batch and refuses wrong sizes', async () => {
    const empty = await model.retrieveBatch({ embeddings: new Float32Array(0), count: 0, k: 1 });
    expect(empty).toEqual({ ids: new Int32Array(0), scores: new Float32Array(0), offsets: Int32Array.of(0) });
    await expectCode('SHAPE_MISMATCH', () => model.retrieveBatch({ embeddings: queries, count: 3, k: 1 }));
    const filters = ['*'];
    await expectCode('SHAPE_MISMATCH', () => model.retrieveBatch({ embeddings: queries, count, k: 1, filters }));
    await expectCode('INVALID_ARGUMENT', () => model.retrieveBatch({ embeddings: queries, count, k: 0 }));
    for (const foreign of [{ filter: 'language:en' }, { embedding: queries }, { user: {} }])
      await expectCode('INVALID_ARGUMENT', () =>
        model.retrieveBatch({ embeddings: queries, count, k: 1, ...foreign } as never),
      );
  });
});

describe('explain, profile and tune', async () => {
  const random = new Random(6);
  const catalogue = randomCatalogue(random, { items: 3000, dims: 16, attributes: true });
  const model = await publishCatalogue(catalogue, { index: { clusters: 48 } });
  const query = catalogue.data.slice(0, 16);

  test('explain tells the plan before it runs', async () => {
    const request = { embedding: query, filter: 'flag:true AND year:>1', k: 5, probes: 3, exclude: [1, 2] };
    const plan = await model.explain(request);
    expect(plan).toMatchObject({ strategy: 'ivf', clusters: 48, probes: 3, heads: 1, k: 5, excludedItems: 2 });
    expect(plan.filterSteps).toBeGreaterThanOrEqual(3);
    expect(plan.scanBytes).toBe(Math.round((3 * 3000 * 32) / 48));
    expect(plan.memory.modelBytes).toBeGreaterThan(3000 * 32);
    expect(plan.memory.arenaBytes).toBeGreaterThan(0);
    await expectCode('FILTER_SYNTAX', () => model.explain({ embedding: query, filter: '(' }));
  });

  test('profile tells time, rows, bytes and rates of every stage', async () => {
    const requests = [{ embedding: query, filter: 'flag:true' }, { embedding: query }];
    const steps = await model.profile(requests);
    const ops = steps.map(({ op }) => op);
    expect(ops).toEqual(expect.arrayContaining(['quantize_int8', 'ivf_probe', 'ivf_scan']));
    for (const { milliseconds, rows, bytes } of steps) {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(rows).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(0);
    }
    for (const { milliseconds, bytes, gigabytesPerSecond, ceilingShare } of steps) {
      expect(gigabytesPerSecond).toBeCloseTo(milliseconds > 0 ? bytes / milliseconds / 1e6 : 0, 6);
      expect(ceilingShare).toBeGreaterThanOrEqual(0);
    }
    const scanned = (await model.retrieve(requests)).map((result) => (result as RetrieveResult).stats.scannedRows);
    const rows = (scanned[0] as number) + (scanned[1] as number);
    expect(steps.find(({ op }) => op === 'ivf_scan')).toMatchObject({ rows, bytes: rows * (32 + 8) });
  });

  test('tune picks the fewest probes that reach the recall, and stores them', async () => {
    const queries = { data: randomVectors(random, 50, 16), shape: [50, 16] as const };
    const low = await model.tune({ queries, recall: 0.3, k: 20 });
    const high = await model.tune({ queries, recall: 1, k: 20 });
    expect(low.probes).toBeLessThan(high.probes);
    expect(low.recall).toBeGreaterThanOrEqual(0.3);
    expect(high.recall).toBe(1);
    expect(high.tried.length).toBeGreaterThan(1);
    expect(model.describe().probes).toBe(high.probes);
    expect((await model.explain({ embedding: query })).probes).toBe(high.probes);
    await expectCode('INVALID_ARGUMENT', () => model.tune({ queries, recall: 2 }));
    await expectCode('SHAPE_MISMATCH', () => model.tune({ queries: { data: queries.data, shape: [3, 16] } }));
  });
});

describe('deadlineMs and AbortSignal', async () => {
  const random = new Random(7);
  const catalogue = randomCatalogue(random, { items: 20_000, dims: 256 });
  const model = await publishCatalogue(catalogue, { index: { clusters: 'flat' }, threads: 1 });
  const slow = Array.from({ length: 64 }, (_, i) => ({
    embedding: catalogue.data.slice(256 * i, 256 * (i + 1)),
    k: 50,
  }));

  test('a deadline that has passed is DEADLINE, for that request alone', async () => {
    const [late, good] = await model.retrieve([{ ...(slow[0] as RetrieveRequest), deadlineMs: 0 }, slow[1] as never]);
    expect(late).toMatchObject({ code: 'DEADLINE', deadlineMs: 0 });
    expect((good as RetrieveResult).ids).toHaveLength(50);
    await expectCode('DEADLINE', () => model.retrieve({ ...(slow[0] as RetrieveRequest), deadlineMs: 0 }));
    for (const deadlineMs of [60_000, 1e12, Infinity]) {
      const { ids } = await model.retrieve({ ...(slow[0] as RetrieveRequest), deadlineMs });
      expect(ids).toHaveLength(50);
    }
  });

  test('an aborted retrieve ends its wait at once and leaves others alone', async () => {
    const reason = new Error('changed my mind');
    const controller = new AbortController();
    const aborted = model.retrieve(slow, { signal: controller.signal });
    const other = model.retrieve(slow[0] as RetrieveRequest);
    controller.abort(reason);
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect((await other).ids).toHaveLength(50);
    await expectCode('ABORTED', () => model.retrieve(slow, { signal: AbortSignal.abort() }));
    const batch = { embeddings: catalogue.data.slice(0, 256), count: 1, k: 3 };
    await expectCode('ABORTED', () => model.retrieveBatch(batch, { signal: AbortSignal.abort() }));
  });

  test('an aborted publish ends its wait at once', async () => {
    for (const delay of [0, 5, 50]) {
      const controller = new AbortController();
      const published = publishCatalogue(catalogue, { index: { clusters: 256 }, signal: controller.signal });
      let turns = 0; // of the event loop after the abort: a wait for native work would count thousands
      let counting: NodeJS.Immediate | undefined;
      const count = () => {
        turns++;
        counting = setImmediate(count);
      };
      setTimeout(() => {
        controller.abort();
        count();
      }, delay);
      await expectCode('ABORTED', () => published);
      clearImmediate(counting);
      expect(turns).toBeLessThan(20);
    }
    await expectCode('ABORTED', () => publishCatalogue(catalogue, { signal: AbortSignal.abort() }));
  });
});
