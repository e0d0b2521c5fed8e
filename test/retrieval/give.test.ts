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

/** Maximal marginal relevance, as the formula says, one item after the other. */
function bySlowMmr(
  list: readonly { id: unknown; score: number }[],
  vectors: ReadonlyMap<unknown, Float32Array>,
  mmr: number,
  most: number,
) {
  const cosine = (a: Float32Array, b: Float32Array) => {
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, d) => sum + value * (y[d] as number), 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const scores = list.map(({ score }) => score);
  const [least, highest] = [Math.min(...scores), Math.max(...scores)];
  const left = [...list];
  const taken: { id: unknown; score: number }[] = [];
  while (left.length > 0 && taken.length < most) {
    const values = left.map(({ id, score }) => {
      const alike = taken.map((other) =>
        cosine(vectors.get(id) as Float32Array, vectors.get(other.id) as Float32Array),
      );
      const relevance = (score - least) / (highest - least);
      return mmr * relevance - (1 - mmr) * (taken.length === 0 ? 0 : Math.max(...alike));
    });
    taken.push(...left.splice(values.indexOf(Math.max(...values)), 1));
  }
  return taken;
}

describe.each([
  { seed: 51, clusters: 'flat' as const },
  { seed: 52, clusters: 10 },
])('arranged lists, seed $seed, clusters $clusters', ({ seed, clusters }) => {
  test('boosts multiply, then variety, groups and a least score', async () => {
    const { model, random, items } = await make(seed, clusters);
    const tests = {
      'brand:a': (item: Item) => item.values.brand === 'a',
      'price:>500': (item: Item) => item.features[0] > 500, // no attribute: refused below
      'year:[2000 TO 2010]': (item: Item) => Number(item.values.year ?? 0) >= 2000 && Number(item.values.year) <= 2010,
      'tags:(t1 OR t2) OR NOT EXISTS(title)': (item: Item) =>
        (item.values.tags as string[]).some((tag) => tag === 't1' || tag === 't2') || item.values.title === null,
      'title:"title 7" OR flag:true': (item: Item) => item.values.title === 'title 7' || item.values.flag === true,
      'season:spring': (item: Item) => item.values.season === 'spring',
      'NOT wide:1152921504606846977': (item: Item) => item.values.wide !== 2n ** 60n + 1n,
      '*': () => true,
    };
    const filters = Object.keys(tests).filter((filter) => filter !== 'price:>500') as (keyof typeof tests)[];
    for (let round = 0; round < 6; round++) {
      const embedding = Float32Array.from({ length: DIMS }, () => random.normal());
      const all = await model.retrieve({ embedding, k: 1000, recall: 1 });
      const boost = Array.from({ length: 1 + random.integer(3) }, () => ({
        filter: random.pick(filters),
        factor: random.pick([0, 0.5, 2, -1]),
      }));
      const boosted = all.ids
        .map((id, i) => {
          const factor = boost.reduce((product, { filter, factor: each }) => {
            return tests[filter](items.get(id as number) as Item) ? product * each : product;
          }, 1);
          return { id, score: Math.fround((all.scores[i] as number) * factor) };
        })
        .sort((a, b) => b.score - a.score);
      const request = { embedding, recall: 1, boost };
      const found = await model.retrieve({ ...request, k: 60 });
      expect(found.ids).toEqual(boosted.slice(0, 60).map(({ id }) => id));
      expect([...found.scores]).toEqual(boosted.slice(0, 60).map(({ score }) => score + 0));

      const minScore = boosted[80]?.score as number;
      const kept = boosted.filter(({ score }) => score >= minScore);
      const got = await model.get(
        kept.map(({ id }) => id),
        { select: [], vectors: true },
      );
      const vectors = new Map(kept.map(({ id }, i) => [id, got[i]?.vector as Float32Array]));
      const mmr = random.pick([0.2, 0.7, 0.95]);
      const counts = new Map<unknown, number>();
      const wanted = bySlowMmr(kept, vectors, mmr, 25);
      const varied = await model.retrieve({ ...request, minScore, diversity: { mmr }, k: 25 });
      expect(varied.ids).toEqual(wanted.slice(0, 25).map(({ id }) => id));
      expect([...varied.scores]).toEqual(wanted.slice(0, 25).map(({ score }) => score + 0));
      // With mmr 1 nothing changes, and groups limit what variety takes.
      const plain = await model.retrieve({ ...request, minScore, diversity: { mmr: 1 }, k: 25 });
      expect(plain.ids).toEqual(kept.slice(0, 25).map(({ id }) => id));
      const limited = await model.retrieve({ ...request, minScore, groups: { field: 'brand', limit: 2 }, k: 25 });
      const few = kept.filter(({ id }) => {
        const brand = items.get(id as number)?.values.brand ?? null;
        counts.set(brand, (counts.get(brand) ?? 0) + 1);
        return brand === null || (counts.get(brand) as number) <= 2;
      });
      expect(limited.ids).toEqual(few.slice(0, 25).map(({ id }) => id));
    }
    await expect(
      model.retrieve({ embedding: new Float32Array(DIMS), boost: [{ filter: 'price:>500', factor: 2 }] }),
    ).rejects.toMatchObject({ code: 'UNKNOWN_FIELD', field: 'price' });
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
    ['a boost that is no list', { boost: { filter: '*', factor: 2 } }, 'INVALID_ARGUMENT', 'boost'],
    ['a boost without a filter', { boost: [{ factor: 2 }] }, 'INVALID_ARGUMENT', 'boost[0].filter'],
    [
      'a factor that is no number',
      { boost: [{ filter: '*', factor: Number.NaN }] },
      'INVALID_ARGUMENT',
      'boost[0].factor',
    ],
    ['variety beyond 1', { diversity: { mmr: 1.5 } }, 'INVALID_ARGUMENT', 'diversity.mmr'],
    ['variety by a number', { diversity: 0.5 }, 'INVALID_ARGUMENT', 'diversity'],
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
