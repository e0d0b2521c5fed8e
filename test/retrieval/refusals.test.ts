// Bad input is refused by a typed error before work starts; odd but valid input works.
import { RetrievalModel, type RetrieveResult, type SilverlodeError, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const folder = await tempFolder();

const vectors = () => Float32Array.of(1, 0, 0, 1, 1, 1);
const items = () => ({ ids: ['a', 'b', 'c'] as unknown, embeddings: { data: vectors(), shape: [3, 2] } as object });
const withItems = (change: object) => ({ items: { ...items(), ...change } });
const withNumber = (value: number) => ({ data: vectors().fill(value, 3, 4), shape: [3, 2] });
const columns = (column: unknown) => withItems({ attributes: { good: [1, 2, 3], bad: column } });

describe('publish refuses, with a typed error before work starts', () => {
  const cases: [string, unknown, SilverlodeError['code'], object?][] = [
    ['nothing', undefined, 'INVALID_ARGUMENT'],
    ['no items', {}, 'INVALID_ARGUMENT'],
    ['no embeddings', { items: { ids: ['a'] } }, 'INVALID_ARGUMENT'],
    ['no ids', withItems({ ids: undefined }), 'INVALID_ARGUMENT'],
    [
      'float64 embeddings',
      withItems({ embeddings: { data: new Float64Array(6), shape: [3, 2] } }),
      'UNSUPPORTED_DTYPE',
    ],
    ['a list of numbers', withItems({ embeddings: { data: [1, 0, 0, 1, 1, 1], shape: [3, 2] } }), 'UNSUPPORTED_DTYPE'],
    ['an int8 tensor', withItems({ embeddings: tensor(new Int8Array(6), { shape: [3, 2] }) }), 'UNSUPPORTED_DTYPE'],
    ['a shape that does not fit', withItems({ embeddings: { data: vectors(), shape: [2, 2] } }), 'SHAPE_MISMATCH'],
    ['one dimension', withItems({ embeddings: tensor(vectors()) }), 'SHAPE_MISMATCH'],
    ['no dimensions', withItems({ embeddings: { data: new Float32Array(0), shape: [3, 0] } }), 'SHAPE_MISMATCH'],
    ['a shape of halves', withItems({ embeddings: { data: vectors(), shape: [1.5, 4] } }), 'SHAPE_MISMATCH'],
    ['NaN, naming the item', withItems({ embeddings: withNumber(Number.NaN) }), 'INVALID_ARGUMENT', { item: 1 }],
    [
      'magnitudes whose squares float32 does not hold, naming the item',
      withItems({ embeddings: withNumber(-3e38) }),
      'INVALID_ARGUMENT',
      { item: 1 },
    ],
    ['Infinity, naming the item', withItems({ embeddings: withNumber(Infinity) }), 'INVALID_ARGUMENT', { item: 1 }],
    [
      '-Infinity in a tensor',
      withItems({ embeddings: tensor([0, -Infinity], { shape: [2, 1] }), ids: [1, 2] }),
      'INVALID_ARGUMENT',
      { item: 1 },
    ],
    ['duplicate ids', withItems({ ids: ['a', 'b', 'a'] }), 'INVALID_ARGUMENT', { item: 2, id: 'a' }],
    ['duplicate bigints', withItems({ ids: BigInt64Array.of(1n, 2n, 2n) }), 'INVALID_ARGUMENT', { item: 2 }],
    ['0 and -0', withItems({ ids: [0, 1, -0] }), 'INVALID_ARGUMENT', { item: 2 }],
    ['mixed ids', withItems({ ids: ['a', 1, 2n] }), 'INVALID_ARGUMENT', { item: 1 }],
    ['an id left out', withItems({ ids: [1, undefined, 3] }), 'INVALID_ARGUMENT', { item: 1 }],
    ['only holes', withItems({ ids: new Array(3) }), 'INVALID_ARGUMENT', { item: 0 }],
    ['ids that are no integers', withItems({ ids: [1, 2.5, 3] }), 'INVALID_ARGUMENT', { item: 1 }],
    ['ids beyond int64', withItems({ ids: [1n, 2n ** 63n, 3n] }), 'INVALID_ARGUMENT', { item: 1 }],
    ['half a character as id', withItems({ ids: ['a', '\ud83d', 'c'] }), 'INVALID_ARGUMENT', { item: 1 }],
    ['float32 ids', withItems({ ids: new Float32Array(3) }), 'INVALID_ARGUMENT'],
    ['another number of ids', withItems({ ids: ['a', 'b'] }), 'SHAPE_MISMATCH'],
    [
      'an empty catalogue',
      { items: { ids: [], embeddings: { data: new Float32Array(0), shape: [0, 2] } } },
      'INVALID_ARGUMENT',
    ],
    ['an attribute column of another length', columns([1, 2]), 'SHAPE_MISMATCH', { field: 'bad' }],
    ['an attribute column that is none', columns(5), 'SHAPE_MISMATCH', { field: 'bad' }],
    ['attributes by item', withItems({ attributes: [{}, {}, {}] }), 'INVALID_ARGUMENT'],
    ['mixed attribute types', columns([1, 'x', 2]), 'INVALID_ARGUMENT', { field: 'bad', item: 1 }],
    [
      'mixed types in a multi-valued attribute',
      columns([[1], [], [2, true]]),
      'INVALID_ARGUMENT',
      { field: 'bad', item: 2 },
    ],
    ['an attribute that is an object', columns([{}, {}, {}]), 'INVALID_ARGUMENT', { field: 'bad', item: 0 }],
    ['float64 features', withItems({ features: { data: new Float64Array(3), shape: [3, 1] } }), 'UNSUPPORTED_DTYPE'],
    [
      'features of another length',
      withItems({ features: { data: new Float32Array(2), shape: [2, 1] } }),
      'SHAPE_MISMATCH',
    ],
    [
      'too few feature names',
      withItems({ features: { data: new Float32Array(6), shape: [3, 2], names: ['x'] } }),
      'SHAPE_MISMATCH',
    ],
    ['an unknown metric', { items: items(), index: { metric: 'hamming' } }, 'INVALID_ARGUMENT'],
    ['an unknown option', { items: items(), cluster: 5 }, 'INVALID_ARGUMENT', { option: 'cluster' }],
    ['an unknown option of items', withItems({ vectors: 5 }), 'INVALID_ARGUMENT', { option: 'vectors' }],
    [
      'an unknown option of the index',
      { items: items(), index: { nlist: 5 } },
      'INVALID_ARGUMENT',
      { option: 'nlist' },
    ],
    [
      'an unknown option of the filter',
      { items: items(), filter: { bits: 5 } },
      'INVALID_ARGUMENT',
      { option: 'bits' },
    ],
    ['a Bloom width out of range', { items: items(), filter: { bitsPerTerm: 0 } }, 'INVALID_ARGUMENT'],
    ['0 clusters', { items: items(), index: { clusters: 0 } }, 'INVALID_ARGUMENT'],
    ['clusters in words', { items: items(), index: { clusters: 'many' } }, 'INVALID_ARGUMENT'],
    ['0 probes', { items: items(), index: { probes: 0 } }, 'INVALID_ARGUMENT'],
    ['a bias of another length', { items: items(), index: { bias: [1, 2] } }, 'SHAPE_MISMATCH'],
    ['a bias of NaN', { items: items(), index: { bias: [1, 2, Number.NaN] } }, 'INVALID_ARGUMENT', { item: 2 }],
    ['queries of other dimensions', { items: items(), queries: { data: vectors(), shape: [2, 3] } }, 'SHAPE_MISMATCH'],
    ['a seed that is no integer', { items: items(), seed: 0.5 }, 'INVALID_ARGUMENT'],
    ['an unknown device', { items: items(), device: 'tpu:0' }, 'DEVICE_UNAVAILABLE'],
    ['negative threads', { items: items(), threads: -1 }, 'INVALID_ARGUMENT'],
    ['a reranker that is none', { items: items(), rerank: {} }, 'INVALID_ARGUMENT'],
    ['a broken formula', { items: items(), value: '1 +' }, 'FORMULA_SYNTAX'],
    ['a formula with unknown names', { items: items(), value: 'click' }, 'FORMULA_SYNTAX'],
    ['unknown rerank embeddings', { items: items(), rerankEmbeddings: 'int4' }, 'INVALID_ARGUMENT'],
  ];

  test.each(cases)('%s', async (_, options, code, details = {}) => {
    const stages: string[] = [];
    const onProgress = ({ stage }: { stage: string }) => stages.push(stage);
    const given = typeof options === 'object' ? { ...options, onProgress } : options;
    const error = await publish(given as never).then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'SilverlodeError', code, ...details });
    expect(stages.filter((stage) => !['read', 'attributes'].includes(stage))).toEqual([]);
  });
});

describe('load refuses, with a typed error', () => {
  test.each([
    ['an unknown option', { mmap: true }, 'INVALID_ARGUMENT'],
    ['a verify that is no boolean', { verify: 0 }, 'INVALID_ARGUMENT'],
    ['maxBatch of 0', { maxBatch: 0 }, 'INVALID_ARGUMENT'],
    ['half a maxK', { maxK: 0.5 }, 'INVALID_ARGUMENT'],
    ['an unknown SIMD level', { simd: 'mmx' }, 'INVALID_ARGUMENT'],
    ['an unknown device', { device: 'tpu:0' }, 'DEVICE_UNAVAILABLE'],
    ['half a thread', { threads: 0.5 }, 'INVALID_ARGUMENT'],
  ] as const)('%s', async (_, options, code) => {
    const path = folder.path('refused.silverlode');
    using model = await publish({ items: items() as never });
    await model.save(path);
    await expectCode(code, () => RetrievalModel.load(path, options as object));
  });

  test('limits are those it was loaded with', async () => {
    const path = folder.path('limits.silverlode');
    using model = await publish({ items: items() as never });
    await model.save(path);
    using loaded = await RetrievalModel.load(path, { maxK: 2, maxBatch: 1 });
    const request = { embedding: Float32Array.of(1, 0), k: 2 };
    expect(await loaded.retrieve([request, request, request])).toHaveLength(3);
    await expectCode('LIMIT_EXCEEDED', () => loaded.retrieve({ ...request, k: 3 }));
  });
});

describe('publish works for', () => {
  const answer = async (model: RetrievalModel, dims: number): Promise<RetrieveResult> => {
    const result = await model.retrieve({ embedding: new Float32Array(dims).fill(1), k: 1000 });
    model.dispose();
    return result;
  };

  test('one item', async () => {
    for (const clusters of ['auto', 'flat', 1, 8] as const) {
      const embeddings = { data: Float32Array.of(3, 4), shape: [1, 2] as const };
      const { ids, scores } = await answer(
        await publish({ items: { ids: ['x'], embeddings }, index: { clusters } }),
        2,
      );
      expect([ids, scores.length]).toEqual([['x'], 1]);
    }
  });

  test('more clusters asked for than items: fewer clusters', async () => {
    const data = randomVectors(new Random(1), 10, 4);
    const ids = Array.from({ length: 10 }, (_, i) => i);
    const model = await publish({ items: { ids, embeddings: { data, shape: [10, 4] } }, index: { clusters: 1000 } });
    expect(model.describe().clusters).toBeLessThanOrEqual(10);
    expect(((await answer(model, 4)).ids as number[]).sort()).toEqual(ids);
  });

  test.each([
    ['all-equal vectors', 1],
    ['zero vectors', 0],
  ])('%s: publish order', async (_, value) => {
    for (const metric of ['ip', 'cosine', 'l2'] as const) {
      for (const clusters of ['flat', 7] as const) {
        const ids = Array.from({ length: 200 }, (_, i) => i);
        const embeddings = { data: new Float32Array(200 * 3).fill(value), shape: [200, 3] as const };
        const model = await publish({ items: { ids, embeddings }, index: { metric, clusters } });
        const result = await answer(model, 3);
        expect(result.ids).toEqual(ids);
        expect(new Set(result.scores).size).toBe(1);
      }
    }
  });

  test('an item without any attribute, and columns without any value', async () => {
    const attributes = { tag: [['x'], null, ['x', 'y']], year: [null, undefined, Number.NaN], empty: [[], [], []] };
    using model = await publish({ items: { ...items(), attributes } as never });
    const found = async (filter: string) => (await model.retrieve({ embedding: Float32Array.of(1, 1), filter })).ids;
    expect(await found('NOT tag:x')).toEqual(['b']);
    expect(await found('NOT EXISTS(tag)')).toEqual(['b']);
    expect(await found('EXISTS(year) OR EXISTS(empty)')).toEqual([]);
    expect(await found('NOT empty:q AND tag:y')).toEqual(['c']);
  });

  test('very small and very large numbers', async () => {
    const data = Float32Array.of(1e-45, 0, 1e-38, -1e-38, 9e11, -9e11);
    using model = await publish({ items: { ...items(), embeddings: { data, shape: [3, 2] } } as never });
    const { ids, scores } = await model.retrieve({ embedding: Float32Array.of(1, -1) });
    expect(ids[0]).toBe('c');
    expect(scores).toHaveLength(3);
  });

  test.each(['ip', 'cosine', 'l2'] as const)(
    'numbers as large as they may be give finite scores: %s',
    async (metric) => {
      const [count, dims] = [300, 768];
      const random = new Random(1);
      const data = Float32Array.from({ length: count * dims }, () => (random.chance(0.7) ? 9e11 : -9e11));
      const ids = Array.from({ length: count }, (_, i) => i);
      for (const rotate of [false, true]) {
        const index = { metric, rotate, clusters: 4 };
        using model = await publish({ items: { ids, embeddings: { data, shape: [count, dims] } }, index });
        const embedding = [data.slice(0, dims).map((x) => 1000 * x), data.slice(0, dims).map((x) => -x)];
        const { scores } = await model.retrieve({ embedding, k: count });
        expect(scores).toHaveLength(count);
        expect([...scores].every(Number.isFinite)).toBe(true);
        await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding: [data.slice(0, dims).fill(1.1e16)] }));
      }
    },
  );
});

test('a model published from a tensor leaves the tensor and the modules to their owner', async () => {
  const { nn } = await import('silverlode');
  const embeddings = tensor(vectors(), { shape: [3, 2] });
  const rerank = new nn.OverArch({ dims: 2, hidden: [4], tasks: ['click'] });
  const given = { items: { ids: ['a', 'b', 'c'], embeddings }, rerank, rerankEmbeddings: 'float32' } as const;
  const first = await publish(given);
  const second = await publish(given);
  const request = { embedding: Float32Array.of(1, 0) };
  const expected = await first.retrieve(request);
  await first.close();
  expect(embeddings.view()).toEqual(vectors());
  expect(rerank.layers[0]?.weight.view().length).toBe(4 * 6);
  await second.save(folder.path('second.silverlode'));
  expect(await second.retrieve(request)).toEqual(expected);
  await second.close();
});
