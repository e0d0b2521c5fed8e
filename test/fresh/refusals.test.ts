import { nn, publish, RetrievalModel, SilverlodeError, type Update } from 'silverlode';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { GrowingFilter } from '../../lib/index/growing_filter.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

const items = {
  ids: ['a', 'b', 'c'],
  embeddings: { data: Float32Array.of(1, 0, 0, 1, 1, 1), shape: [3, 2] as const },
  attributes: {
    language: ['en', 'de', null],
    year: [1990, 2000, null],
    score: [0.5, null, 1.5],
    tags: [['x'], [], ['y', 'z']],
  },
  features: { data: Float32Array.of(1, 2, 3), shape: [3, 1] as const, names: ['price'] },
};
const model = await publish({ items, value: 'score + price' });
afterAll(() => model.close());
const one = {
  embeddings: { data: Float32Array.of(1, 0), shape: [1, 2] },
  features: { data: Float32Array.of(1), shape: [1, 1] },
};
const embedding = Float32Array.of(1, 0);

async function refusal(update: unknown): Promise<SilverlodeError> {
  const version = model.freshness().version;
  const error = await model.apply(update as Update).then(
    () => expect.fail('the update was not refused'),
    (thrown: SilverlodeError) => thrown,
  );
  expect(model.freshness().version).toBe(version);
  return error;
}

describe('an update is refused as a whole, before anything changes', () => {
  const upsert = (more: object) => ({ type: 'upsert', ids: ['n'], ...one, ...more });
  test.each<[string, unknown, string, object?]>([
    ['no update', null, 'INVALID_ARGUMENT'],
    ['another type', { type: 'toString' }, 'INVALID_ARGUMENT'],
    ['an unknown option', upsert({ embedding: 1 }), 'INVALID_ARGUMENT'],
    ['ids of another type', upsert({ ids: [1] }), 'INVALID_ARGUMENT', { item: 0 }],
    ['ids that are no list', upsert({ ids: 'n' }), 'INVALID_ARGUMENT'],
    ['an id twice', { type: 'delete', ids: ['a', 'a'] }, 'INVALID_ARGUMENT', { item: 1, id: 'a' }],
    ['half a surrogate pair', upsert({ ids: ['\ud800'] }), 'INVALID_ARGUMENT'],
    [
      'another number of dimensions',
      upsert({ embeddings: { data: new Float32Array(3), shape: [1, 3] } }),
      'SHAPE_MISMATCH',
    ],
    ['no embeddings', upsert({ embeddings: undefined }), 'UNSUPPORTED_DTYPE'],
    [
      'NaN',
      upsert({ embeddings: { data: Float32Array.of(0, NaN), shape: [1, 2] } }),
      'INVALID_ARGUMENT',
      { item: 0, id: 'n' },
    ],
    [
      'magnitudes beyond what float32 squares',
      upsert({ embeddings: { data: Float32Array.of(0, 1e20), shape: [1, 2] } }),
      'INVALID_ARGUMENT',
      { item: 0, id: 'n' },
    ],
    ['no features', upsert({ features: undefined }), 'INVALID_ARGUMENT'],
    ['priors of a model without', upsert({ bias: [1] }), 'INVALID_ARGUMENT'],
    ['a short column', upsert({ attributes: { language: [] } }), 'SHAPE_MISMATCH', { field: 'language' }],
    ['a column that is no list', upsert({ attributes: { language: 'en' } }), 'INVALID_ARGUMENT', { field: 'language' }],
    [
      'a value of another type',
      upsert({ attributes: { language: [5] } }),
      'INVALID_ARGUMENT',
      { field: 'language', id: 'n' },
    ],
    [
      'a fraction among integers',
      upsert({ attributes: { year: [1.5] } }),
      'INVALID_ARGUMENT',
      { field: 'year', id: 'n' },
    ],
    ['a bigint among fractions', upsert({ attributes: { score: [1n] } }), 'INVALID_ARGUMENT', { field: 'score' }],
    ['beyond int64', upsert({ attributes: { year: [2n ** 63n] } }), 'INVALID_ARGUMENT', { field: 'year' }],
    [
      'two numbers where one is kept',
      upsert({ attributes: { year: [[1, 2]] } }),
      'INVALID_ARGUMENT',
      { field: 'year' },
    ],
    [
      'mixed types in a new field',
      upsert({ attributes: { fresh: [['a', 1]] } }),
      'INVALID_ARGUMENT',
      { field: 'fresh' },
    ],
    ['an object as value', upsert({ attributes: { fresh: [{}] } }), 'INVALID_ARGUMENT', { field: 'fresh' }],
    [
      'attributes of nobody',
      { type: 'updateAttributes', ids: ['a', 'x'], attributes: { year: [1, 2] } },
      'INVALID_ARGUMENT',
      { item: 1, id: 'x' },
    ],
    [
      'features of nobody',
      { type: 'updateFeatures', ids: ['x'], features: { price: [1] } },
      'INVALID_ARGUMENT',
      { item: 0, id: 'x' },
    ],
    [
      'an unknown feature column',
      { type: 'updateFeatures', ids: ['a'], features: { cost: [1] } },
      'INVALID_ARGUMENT',
      { field: 'cost' },
    ],
    ['too few features', { type: 'updateFeatures', ids: ['a'], features: { price: [] } }, 'SHAPE_MISMATCH'],
  ])('%s', async (_, update, code, details = {}) => {
    expect(await refusal(update)).toMatchObject({ code, ...details });
    expect((await model.retrieve({ embedding, k: 9 })).ids.sort()).toEqual(['a', 'b', 'c']);
    await expectCode('UNKNOWN_FIELD', () => model.retrieve({ embedding, filter: 'fresh:a' }));
  });

  test('with a refused update among good ones, the good ones are applied', async () => {
    using other = await publish({ items });
    const results = await Promise.allSettled([
      other.upsert({ ids: ['d'], ...one, attributes: { kind: ['new'] } }),
      other.upsert({ ids: ['e'], ...one, attributes: { kind: [7] } }),
      other.delete(['a']),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await other.retrieve({ embedding, k: 9 })).ids.sort()).toEqual(['b', 'c', 'd']);
    expect((await other.retrieve({ embedding, filter: 'kind:new' })).ids).toEqual(['d']);
  });
});

describe('limits', () => {
  test('beyond maxFreshItems updates are refused until compact() makes room', async () => {
    const path = folder.path('small.silverlode');
    await model.save(path);
    await using small = await RetrievalModel.load(path, { maxFreshItems: 2, compaction: false });
    const add = (m: RetrievalModel, ids: string[]) =>
      m.upsert({
        ids,
        embeddings: { data: new Float32Array(2 * ids.length).fill(1), shape: [ids.length, 2] },
        features: { data: new Float32Array(ids.length), shape: [ids.length, 1] },
      });
    await add(small, ['n1', 'a']);
    await add(small, ['n1', 'a']);
    await expectCode('LIMIT_EXCEEDED', () => add(small, ['n2']));
    await small.delete(['n1']);
    await add(small, ['n2']);
    await expectCode('LIMIT_EXCEEDED', () => add(small, ['n3', 'n4']));
    expect(small.freshness()).toMatchObject({
      items: 4,
      freshItems: 2,
      maxFreshItems: 2,
      deletedRows: 1,
      compacting: false,
    });
    await small.compact();
    expect(small.freshness()).toMatchObject({ items: 4, freshItems: 0, deletedRows: 0 });
    await add(small, ['n3', 'n4']);
    expect(small.items).toBe(6);
  });

  test('where exact terms have no room, an update is refused before anything changes', async () => {
    const hasRoom = vi.spyOn(GrowingFilter.prototype, 'requireRoom');
    const updates: [Update, number][] = [
      [{ type: 'upsert', ids: ['b'], ...one, attributes: { tags: [['x', 'y']], fresh: ['a'] } }, 3],
      [{ type: 'updateAttributes', ids: ['c'], attributes: { fresh: [['a', 'b']] } }, 5],
    ];
    for (const [update, values] of updates) {
      hasRoom.mockImplementationOnce((lists) => {
        expect(lists.flat(2)).toHaveLength(values);
        throw new SilverlodeError('LIMIT_EXCEEDED', 'no room');
      });
      expect(await refusal(update)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect((await model.retrieve({ embedding, k: 9, filter: 'language:de' })).ids).toEqual(['b']);
      await expectCode('UNKNOWN_FIELD', () => model.retrieve({ embedding, filter: 'fresh:a' }));
    }
    hasRoom.mockRestore();
    await model.upsert({ ids: ['d'], ...one });
    expect((await model.retrieve({ embedding, k: 9, filter: 'language:de' })).ids).toEqual(['b']);
    await model.delete(['d']);
  });

  test('one compaction at a time; an aborted one changes nothing; none after dispose', async () => {
    const other = await publish({ items });
    await other.delete(['a']);
    const first = other.compact();
    await expectCode('INVALID_ARGUMENT', () => other.compact());
    await first;
    const signal = AbortSignal.abort(new Error('no'));
    await other.delete(['b']);
    await expectCode('ABORTED', () => other.compact({ signal }));
    expect(other.freshness()).toMatchObject({ items: 1, deletedRows: 1, compacting: false });
    await other.compact();
    expect((await other.retrieve({ embedding })).ids).toEqual(['c']);
    await other.close();
    await expectCode('DISPOSED', () => other.compact());
    await expectCode('DISPOSED', () => other.delete(['c']));
  });

  test('an empty catalogue answers with nothing and takes items again', async () => {
    using other = await publish({
      items,
      rerank: new nn.OverArch({ dims: 2, features: 1, hidden: [4], tasks: ['t'] }),
    });
    expect(await other.delete(['a', 'b', 'c', 'nobody'])).toMatchObject({ items: 3 });
    expect((await other.retrieve({ embedding, filter: 'language:en' })).ids).toEqual([]);
    await other.compact();
    expect(other.items).toBe(0);
    await other.upsert({ ids: ['b'], ...one });
    expect((await other.retrieve({ embedding })).ids).toEqual(['b']);
    await other.compact();
    expect((await other.retrieve({ embedding })).ids).toEqual(['b']);
    expect(other.freshness()).toMatchObject({ items: 1, freshItems: 0 });
  });
});
