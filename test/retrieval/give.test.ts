// What comes back: selected attributes and columns, items by id, limits per value; beside the plain data, with fresh, replaced and
// deleted items and fields that updates brought.
import { type AttributeColumns, type ItemIds, SilverlodeError } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { publish } from './publish.js';

const [ITEMS, FRESH, DIMS] = [700, 50, 16];

interface Item {
  id: number;
  vector: Float32Array;
  values: Record<string, unknown>;
  features: [number, number];
}

/** Values of few and of many kinds, none, one and several. */
function valuesOf(random: Random, isNew: boolean): Record<string, unknown> {
  const maybe = <T>(value: T) => (random.chance(0.2) ? null : value);
  return {
    brand: maybe(random.pick(['a', 'b', 'c', 'd', 'e'])),
    title: maybe(`title ${random.integer(5000)}`),
    tags: Array.from(new Set(Array.from({ length: random.integer(4) }, () => `t${random.integer(40)}`))).sort(),
    year: maybe(1990 + random.integer(40)),
    rating: maybe(random.integer(100) / 8),
    flag: maybe(random.chance(0.5)),
    wide: maybe(random.chance(0.5) ? 2n ** 60n + BigInt(random.integer(9)) : BigInt(random.integer(9))),
    ...(isNew && { season: maybe(random.pick(['spring', 'autumn'])) }),
  };
}

async function make(seed: number, clusters: number | 'flat', options: { metric?: 'cosine'; rotate?: boolean } = {}) {
  const random = new Random(seed);
  const newItem = (id: number, isNew: boolean): Item => ({
    id,
    vector: Float32Array.from({ length: DIMS }, () => random.normal()),
    values: valuesOf(random, isNew),
    features: [random.integer(1000), random.integer(1000) / 4],
  });
  const columns = (items: readonly Item[]) => ({
    ids: items.map(({ id }) => id) as unknown as ItemIds,
    embeddings: {
      data: Float32Array.from(items.flatMap(({ vector }) => [...vector])),
      shape: [items.length, DIMS] as const,
    },
    attributes: Object.fromEntries(
      Object.keys(items[0]?.values ?? {}).map((name) => [name, items.map(({ values }) => values[name])]),
    ) as AttributeColumns,
    features: {
      data: Float32Array.from(items.flatMap(({ features }) => features)),
      shape: [items.length, 2] as const,
      names: ['price', 'age'],
    },
  });
  const first = Array.from({ length: ITEMS }, (_, id) => newItem(id, false));
  const model = await publish({ items: columns(first), index: { clusters, ...options }, value: 'score' });
  const fresh = Array.from({ length: FRESH }, (_, i) => newItem(i % 2 === 0 ? ITEMS + i : 10 * i, true));
  const { features, ...rest } = columns(fresh);
  await model.upsert({ ...rest, features: { data: features.data, shape: features.shape } });
  const gone = Array.from({ length: 20 }, (_, i) => 30 * i + 1);
  await model.delete(gone);
  const items = new Map([...first, ...fresh].map((item) => [item.id, item]));
  for (const id of gone) items.delete(id);
  return { model, random, items, gone };
}

/** What `select` gives of an item: 64-bit integers are numbers where these hold them. */
function selected({ values, features }: Item, names: readonly string[]) {
  const all: Record<string, unknown> = { price: features[0], age: features[1], ...values };
  return Object.fromEntries(
    names.map((name) => {
      const value = all[name] ?? null;
      return [name, typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value];
    }),
  );
}

const NAMES = ['brand', 'title', 'tags', 'year', 'rating', 'flag', 'wide', 'season', 'price', 'age'];
const sorted = (item: Record<string, unknown> | null) =>
  item && { ...item, ...(Array.isArray(item.tags) && { tags: [...item.tags].sort() }) };

describe.each([
  { seed: 1, clusters: 'flat' as const },
  { seed: 2, clusters: 10 },
])('seed $seed, clusters $clusters', ({ seed, clusters }) => {
  test('select and get give what was published and updated', async () => {
    const { model, random, items, gone } = await make(seed, clusters);
    for (let round = 0; round < 8; round++) {
      const names = NAMES.filter(() => random.chance(0.6));
      const embedding = Float32Array.from({ length: DIMS }, () => random.normal());
      const { ids, items: found = [] } = await model.retrieve({ embedding, k: 60, select: names });
      expect(found.map(sorted)).toEqual(ids.map((id) => selected(items.get(id as number) as Item, names)));
    }
    const asked = [...items.keys(), ...gone, 99_999];
    const got = await model.get(asked);
    expect(got.map(sorted)).toEqual(asked.map((id) => (items.has(id) ? selected(items.get(id) as Item, NAMES) : null)));
    const some = await model.get(new Set([5, 3]), { select: ['title'] });
    expect(some).toEqual([5, 3].map((id) => selected(items.get(id) as Item, ['title'])));
    await model.compact();
    expect((await model.get(asked)).map(sorted)).toEqual(got.map(sorted));
    await model.close();
  });

  test('features that change in place come back changed', async () => {
    const { model } = await make(seed + 10, clusters);
    await model.updateFeatures([3, 700], { price: Float32Array.of(-1, -2) });
    expect(await model.get([3, 700], { select: ['price'] })).toEqual([{ price: -1 }, { price: -2 }]);
    await model.close();
  });

  test('groups keep the best of every value, and pages of them fit together', async () => {
    const { model, random, items } = await make(seed + 20, clusters);
    for (const [field, limit] of [
      ['brand', 2],
      ['year', 1],
      ['flag', 7],
      ['wide', 3],
    ] as const) {
      const embedding = Float32Array.from({ length: DIMS }, () => random.normal());
      const all = await model.retrieve({ embedding, k: 1000, recall: 1 });
      const counts = new Map<unknown, number>();
      const wanted = all.ids.filter((id) => {
        const value = items.get(id as number)?.values[field] ?? null;
        counts.set(value, (counts.get(value) ?? 0) + 1);
        return value === null || (counts.get(value) as number) <= limit;
      });
      const request = { embedding, recall: 1, groups: { field, limit } };
      const grouped = await model.retrieve({ ...request, k: 40 });
      expect(grouped.ids).toEqual(wanted.slice(0, 40));
      const score = (id: unknown) => all.scores[all.ids.indexOf(id as number)];
      expect([...grouped.scores]).toEqual(grouped.ids.map(score));
      const pages = await model.retrieve([0, 15, 30].map((offset) => ({ ...request, k: 15, offset })));
      expect(pages.flatMap((page) => (page instanceof SilverlodeError ? [] : page.ids))).toEqual(wanted.slice(0, 45));
    }
    await model.close();
  });
});

test.each([
  ['ip', {}],
  ['cosine', { metric: 'cosine' as const }],
  ['rotated', { rotate: true }],
])('vectors come back close to what was published: %s', async (kind, options) => {
  const { model, items } = await make(31, 'flat', options);
  const ids = [2, 700, 50];
  const got = await model.get(ids, { select: [], vectors: true });
  for (const [i, id] of ids.entries()) {
    const { vector } = items.get(id) as Item;
    const length = kind === 'cosine' ? Math.hypot(...vector) : 1;
    const largest = Math.max(...vector.map(Math.abs)) / length;
    const found = got[i]?.vector as Float32Array;
    expect(found).toBeInstanceOf(Float32Array);
    for (const [d, value] of vector.entries())
      expect(Math.abs((found[d] as number) - value / length)).toBeLessThan(largest / 20);
  }
  await model.close();
});

describe('refusals name the field', () => {
  const given = make(41, 'flat');
  const embedding = new Float32Array(DIMS).fill(1);
  test.each<[string, object, string, string]>([
    ['an unknown name', { select: ['brand', 'colour'] }, 'UNKNOWN_FIELD', 'colour'],
    ['no list', { select: 'brand' }, 'INVALID_ARGUMENT', 'select'],
    ['groups by an unknown field', { groups: { field: 'colour', limit: 1 } }, 'UNKNOWN_FIELD', 'colour'],
    ['groups by a field of several values', { groups: { field: 'tags', limit: 1 } }, 'INVALID_ARGUMENT', 'tags'],
    ['groups without a limit', { groups: { field: 'brand' } }, 'INVALID_ARGUMENT', 'groups.limit'],
    ['a limit of 0', { groups: { field: 'brand', limit: 0 } }, 'INVALID_ARGUMENT', 'groups.limit'],
    ['another option of groups', { groups: { field: 'brand', limit: 1, by: 2 } }, 'INVALID_ARGUMENT', 'groups.by'],
  ])('%s', async (_, request, code, field) => {
    const { model } = await given;
    await expect(model.retrieve({ embedding, ...request })).rejects.toMatchObject({ code, field });
  });

  test('of get', async () => {
    const { model } = await given;
    await expect(model.get(['3'])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'ids' });
    await expect(model.get([3], { select: ['colour'] })).rejects.toMatchObject({
      code: 'UNKNOWN_FIELD',
      field: 'colour',
    });
    await expect(model.get([3], { nonsense: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
