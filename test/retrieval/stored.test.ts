// What is stored of items comes back with them, through updates, folding, files, journals and logs.
import { RetrievalModel, type Update } from 'silverlode';
import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { decodeUpdate, encodeUpdate } from '../../lib/feed/codec.js';
import { testDevice } from '../support/device.js';
import { tempFolder } from '../support/temp_folder.js';
import { publish } from './publish.js';

const [ITEMS, DIMS] = [200, 8];

/** Nothing, small objects, long texts, lists, integers that float64 rounds. */
function anyValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => undefined,
    () => null,
    () => ({
      title: `title ${random.integer(1000)}`,
      price: random.integer(1000) / 4,
      nested: { a: [1, null, 'ü\n"'] },
    }),
    () => ({ title: 'x'.repeat(random.integer(5000)), tags: [] }),
    () => ({ wide: 2n ** 60n + 1n, brand: 'hides nothing' }),
    () => [1, 2, 3],
    () => 'a text',
    () => 7,
  ])();
}

/** What `get` gives of an item: its attribute hides a stored field of the same name. */
function whole(stored: unknown, brand: string): Record<string, unknown> {
  const isObject = typeof stored === 'object' && stored !== null && !Array.isArray(stored);
  return { ...(isObject ? stored : stored === null || stored === undefined ? {} : { stored }), brand };
}

test.each([1, 2, 3])('seed %i', async (seed) => {
  const random = new Random(seed);
  const folder = await tempFolder();
  const vectors = (count: number) => ({
    data: Float32Array.from({ length: count * DIMS }, () => random.normal()),
    shape: [count, DIMS] as const,
  });
  const mirror = new Map<number, { stored: unknown; brand: string }>();
  const brand = () => random.pick(['a', 'b']);
  const drawn = Array.from({ length: ITEMS }, () => ({ stored: anyValue(random), brand: brand() }));
  for (const [id, each] of drawn.entries()) mirror.set(id, each);
  const journal = folder.path('journal');
  const file = folder.path('model.silverlode');
  const published = await publish({
    items: {
      ids: Int32Array.from({ length: ITEMS }, (_, id) => id),
      embeddings: vectors(ITEMS),
      attributes: { brand: drawn.map((each) => each.brand) },
    },
    index: { clusters: 4 },
    stored: drawn.map(({ stored }) => stored),
  });
  await published.save(file);
  await published.close();
  let model = await RetrievalModel.load(file, { journal, device: testDevice });

  const check = async () => {
    const ids = [...mirror.keys()];
    const got = await model.get(ids);
    expect(got).toEqual(ids.map((id) => whole(mirror.get(id)?.stored, mirror.get(id)?.brand as string)));
    const names = ['title', 'brand', 'stored', 'nothing'];
    const embedding = Float32Array.from({ length: DIMS }, () => random.normal());
    const result = await model.retrieve({ embedding, k: 30, select: names });
    const wanted = result.ids.map((id) => {
      const { stored, brand: own } = mirror.get(id as number) as { stored: unknown; brand: string };
      const title = (stored as { title?: string } | undefined)?.title ?? null;
      return { title, brand: own, stored: stored ?? null, nothing: null };
    });
    expect(result.items).toEqual(wanted);
  };
  await check();

  const update = async () => {
    const ids = [...new Set(Array.from({ length: 12 }, () => random.integer(ITEMS + 40)))];
    const brands = ids.map(brand);
    const stored = random.chance(0.8) ? ids.map(() => anyValue(random)) : undefined;
    const given: Update = {
      type: 'upsert',
      ids,
      embeddings: vectors(ids.length),
      attributes: { brand: brands },
      stored,
    };
    // Through the form that logs have, every second time.
    await model.apply(random.chance(0.5) ? decodeUpdate(encodeUpdate(given)) : given);
    for (const [i, id] of ids.entries()) mirror.set(id, { stored: stored?.[i], brand: brands[i] as string });
    const known = [...mirror.keys()].slice(0, 3);
    const changed = known.map(brand);
    await model.updateAttributes(known, { brand: changed });
    for (const [i, id] of known.entries())
      mirror.set(id, { stored: mirror.get(id)?.stored, brand: changed[i] as string });
    const gone = [...mirror.keys()][random.integer(mirror.size)] as number;
    await model.delete([gone]);
    mirror.delete(gone);
  };
  await update();
  await check();
  await model.close(); // the journal alone holds the updates
  model = await RetrievalModel.load(file, { journal, device: testDevice });
  await check();
  await update();
  await model.save(folder.path('second.silverlode'));
  await model.close();
  model = await RetrievalModel.load(folder.path('second.silverlode'), { device: testDevice });
  await check();
  await model.compact();
  await check();
  await update();
  await model.compact();
  await check();
  await model.close();
});

test('a model that stores nothing has no such names, until an update stores something', async () => {
  const items = { ids: Int32Array.of(1, 2), embeddings: { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] as const } };
  const model = await publish({ items });
  await expect(model.get([1], { select: ['title'] })).rejects.toMatchObject({ code: 'UNKNOWN_FIELD', field: 'title' });
  const embeddings = { data: Float32Array.of(1, 1), shape: [1, 2] as const };
  await model.upsert({ ids: [3], embeddings, stored: [{ title: 'new' }] });
  expect(await model.get([1, 3], { select: ['title'] })).toEqual([{ title: null }, { title: 'new' }]);
  await model.compact();
  expect(await model.get([1, 3])).toEqual([{}, { title: 'new' }]);
  await model.close();
});

test.each<[string, unknown, string, object]>([
  ['no list', { title: 'x' }, 'INVALID_ARGUMENT', {}],
  ['too few', [1], 'SHAPE_MISMATCH', {}],
  ['a circle', [1, circle()], 'INVALID_ARGUMENT', { item: 1 }],
  ['too long a text', ['x'.repeat(2 ** 20 + 1), 2], 'LIMIT_EXCEEDED', { item: 0 }],
])('refused: %s', async (_, stored, code, details) => {
  const items = { ids: Int32Array.of(1, 2), embeddings: { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] as const } };
  const wrong = { code, field: 'stored', ...details };
  await expect(publish({ items, stored: stored as unknown[] })).rejects.toMatchObject(wrong);
  const model = await publish({ items });
  await expect(model.upsert({ ...items, stored: stored as unknown[] })).rejects.toMatchObject(wrong);
  await model.close();
});

function circle(): object {
  const value: Record<string, unknown> = {};
  value.self = value;
  return value;
}
