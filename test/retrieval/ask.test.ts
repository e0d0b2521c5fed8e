// What a request may ask from: liked items, given candidates, allowed ids, pages, a least score; beside brute force over rows that
// int8 holds exactly, on catalogues with fresh, replaced and deleted items.
import {
  type ItemId,
  type ItemIds,
  type RetrievalModel,
  type RetrieveRequest,
  type RetrieveResult,
  SilverlodeError,
} from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { testDevice } from '../support/device.js';
import { publish } from './publish.js';

const [ITEMS, FRESH, DIMS] = [900, 60, 32];

interface Item {
  id: ItemId;
  vector: Float32Array;
  tag: string;
}

/** Whole numbers, the largest of them 127: int8 rows of scale 1. */
function whole(random: Random): Float32Array {
  const vector = Float32Array.from({ length: DIMS }, () => random.integer(255) - 127);
  vector[random.integer(DIMS)] = random.chance(0.5) ? 127 : -127;
  return vector;
}

const KINDS = {
  string: (i: number) => `item ${i}`,
  number: (i: number) => 7 * i + 3,
  bigint: (i: number) => 2n ** 40n + BigInt(5 * i),
};

/** A model and its items in publish order, after updates. */
async function make(seed: number, kind: keyof typeof KINDS, clusters: number | 'flat') {
  const random = new Random(seed);
  const newItem = (i: number): Item => ({
    id: KINDS[kind](i),
    vector: whole(random),
    tag: random.pick(['a', 'b', 'c']),
  });
  const columns = (items: readonly Item[]) => ({
    ids: items.map(({ id }) => id) as unknown as ItemIds,
    embeddings: {
      data: Float32Array.from(items.flatMap(({ vector }) => [...vector])),
      shape: [items.length, DIMS] as const,
    },
    attributes: { tag: items.map(({ tag }) => tag) },
  });
  const first = Array.from({ length: ITEMS }, (_, i) => newItem(i));
  const model = await publish({ items: columns(first), index: { clusters } });
  // New ones, and some that take the place of others.
  const changed = Array.from({ length: FRESH }, (_, i) => newItem(i % 2 === 0 ? ITEMS + i : random.integer(ITEMS)));
  const fresh = [...new Map(changed.map((item) => [item.id, item])).values()];
  await model.upsert(columns(fresh));
  const gone = [...new Set([...first, ...fresh].filter(() => random.chance(0.05)).map(({ id }) => id))];
  await model.delete(gone as unknown as ItemIds);
  const items = new Map(first.map((item) => [item.id, item]));
  for (const item of fresh) items.delete(item.id);
  for (const item of fresh) items.set(item.id, item);
  for (const id of gone) items.delete(id);
  return { model, random, items: [...items.values()], gone };
}

interface Wanted {
  heads: readonly Float32Array[];
  only?: ReadonlySet<ItemId>;
  tag?: string;
  exclude?: ReadonlySet<ItemId>;
}

/** Ids and scores of all that may come back, best first. */
function bruteForce(items: readonly Item[], { heads, only, tag, exclude }: Wanted) {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, d) => sum + value * (b[d] as number), 0);
  return items
    .filter((item) => (only?.has(item.id) ?? true) && (tag === undefined || item.tag === tag) && !exclude?.has(item.id))
    .map(({ id, vector }) => ({ id, score: Math.fround(Math.max(...heads.map((head) => dot(head, vector)))) }))
    .sort((a, b) => b.score - a.score);
}

async function expectList(
  model: RetrievalModel,
  request: RetrieveRequest,
  wanted: ReturnType<typeof bruteForce>,
  k: number,
) {
  const result = await model.retrieve({ k, ...request });
  expect(result.ids).toEqual(wanted.slice(0, k).map(({ id }) => id));
  expect([...result.scores]).toEqual(wanted.slice(0, k).map(({ score }) => score));
  return result;
}

const MODELS = (['string', 'number', 'bigint'] as const).flatMap((kind, i) => [
  { kind, clusters: 'flat' as const, seed: 1 + i },
  { kind, clusters: 12, seed: 11 + i },
]);

describe.each(MODELS)('$kind ids, clusters $clusters, seed $seed', ({ kind, clusters, seed }) => {
  const all = { recall: 1 } as const;

  test('like, dislike and best', async () => {
    const { model, random, items } = await make(seed, kind, clusters);
    for (let round = 0; round < 10; round++) {
      const drawn = Array.from({ length: 1 + random.integer(4) }, () => random.pick(items));
      const exclude = new Set(drawn.map(({ id }) => id));
      const heads = [...new Map(drawn.map((item) => [item.id, item.vector])).values()];
      const tag = random.chance(0.5) ? random.pick(['a', 'b']) : undefined;
      const filter = tag && `tag:${tag}`;
      const wanted = bruteForce(items, { heads, exclude, tag });
      await expectList(model, { ...all, like: exclude, strategy: 'best', filter }, wanted, 20);

      const liked = drawn[0] as Item;
      const one = bruteForce(items, { heads: [liked.vector], exclude: new Set([liked.id]), tag });
      await expectList(model, { ...all, like: [liked.id], filter }, one, 20);
      if (testDevice === 'cpu')
        expect(model.retrieveSync({ ...all, like: [liked.id], filter, k: 20 }).ids).toEqual(
          one.slice(0, 20).map(({ id }) => id),
        );

      // The formula of the mean, written down again: the answer is that of the embedding it gives.
      const disliked = Array.from({ length: random.integer(3) }, () => random.pick(items));
      const mean = (of: readonly Item[], d: number) =>
        of.length === 0 ? 0 : of.reduce((sum, { vector }) => sum + (vector[d] as number), 0) / of.length;
      const embedding = Float32Array.from({ length: DIMS }, (_, d) => mean(drawn, d) - mean(disliked, d));
      const request = { ...all, k: 30, filter, like: drawn.map(({ id }) => id), dislike: disliked.map(({ id }) => id) };
      const meant = await model.retrieve(request);
      const same = await model.retrieve({
        ...all,
        k: 30,
        filter,
        embedding,
        exclude: [...request.like, ...request.dislike],
      });
      expect({ ids: meant.ids, scores: meant.scores }).toEqual({ ids: same.ids, scores: same.scores });
    }
    await model.close();
  });

  test('rank scores what it names, wherever it lies, and tells what it does not know', async () => {
    const { model, random, items, gone } = await make(seed + 100, kind, clusters);
    for (let round = 0; round < 10; round++) {
      const query = whole(random);
      const known = items.filter(() => random.chance(random.pick([0.01, 0.2, 0.9])));
      const unknown = gone.slice(0, random.integer(4));
      const rank = [...known.map(({ id }) => id), ...unknown];
      const tag = random.chance(0.5) ? random.pick(['a', 'b']) : undefined;
      const exclude = new Set(known.filter(() => random.chance(0.1)).map(({ id }) => id));
      const wanted = bruteForce(items, { heads: [query], only: new Set(rank), tag, exclude });
      const request = { embedding: query, rank, filter: tag && `tag:${tag}`, exclude };
      const result = await model.retrieve(request);
      expect(result.ids).toEqual(wanted.map(({ id }) => id));
      expect([...result.scores]).toEqual(wanted.map(({ score }) => score));
      expect(result.unknown).toEqual(unknown);
      await expectList(model, request, wanted, 5);
    }
    await model.close();
  });

  test('allow lets nothing else through', async () => {
    const { model, random, items, gone } = await make(seed + 200, kind, clusters);
    for (let round = 0; round < 10; round++) {
      const query = whole(random);
      const share = random.pick([0, 0.005, 0.3, 0.95]);
      const allow = [...items.filter(() => random.chance(share)).map(({ id }) => id), ...gone];
      const tag = random.chance(0.5) ? random.pick(['a', 'b']) : undefined;
      const wanted = bruteForce(items, { heads: [query], only: new Set(allow), tag });
      await expectList(model, { ...all, embedding: query, allow, filter: tag && `tag:${tag}` }, wanted, 40);
      const filter = tag && `tag:${tag} AND NOT tag:b`;
      const narrower = wanted.filter(
        ({ id }) => tag === undefined || items.find((item) => item.id === id)?.tag !== 'b',
      );
      await expectList(model, { ...all, embedding: query, allow, filter }, narrower, 40);
    }
    await model.close();
  });

  test('pages put together are the list, and a least score cuts it', async () => {
    const { model, random, items } = await make(seed + 300, kind, clusters);
    const query = whole(random);
    const wanted = bruteForce(items, { heads: [query] });
    const read: ItemId[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: RetrieveResult = await model.retrieve({
        embedding: query,
        k: 70,
        offset,
        recall: clusters === 'flat' ? 1 : 0.9,
      });
      if (clusters === 'flat') expect(page.next).toBe(offset + 70 < items.length ? offset + 70 : undefined);
      read.push(...page.ids);
      offset = page.next;
    }
    expect(new Set(read).size).toBe(read.length);
    if (clusters === 'flat') expect(read).toEqual(wanted.map(({ id }) => id));
    const { score } = wanted[25] as { score: number };
    const best = wanted.filter((each) => each.score >= score);
    const cut = await expectList(model, { ...all, embedding: query, minScore: score }, best, 100);
    expect(cut.next).toBeUndefined();
    const batch = await model.retrieveBatch({ embeddings: query, count: 1, k: 100, recall: 1, minScore: score });
    expect([...batch.scores]).toEqual(best.map((each) => each.score));
    await model.close();
  });
});

test('a page beyond the end is empty, and pages of a search that stops early agree', async () => {
  const { model, random } = await make(41, 'number', 12);
  const query = whole(random);
  const first = await model.retrieve({ embedding: query, k: 300, offset: 0, recall: 0.8 });
  const pages = await model.retrieve(
    [0, 100, 200].map((offset) => ({ embedding: query, k: 100, offset, recall: 0.8 })),
  );
  expect(pages.flatMap((page) => (page instanceof SilverlodeError ? [] : page.ids))).toEqual(first.ids);
  const beyond = await model.retrieve({ embedding: query, k: 10, offset: 100_000 });
  expect(beyond.ids).toEqual([]);
  expect(beyond).not.toHaveProperty('next');
  await model.close();
});

test('a value formula orders what is ranked, liked and cut', async () => {
  const random = new Random(61);
  const items = Array.from({ length: 500 }, (_, i) => ({ id: i, vector: whole(random), price: random.integer(4000) }));
  const model = await publish({
    items: {
      ids: items.map(({ id }) => id),
      embeddings: { data: Float32Array.from(items.flatMap(({ vector }) => [...vector])), shape: [500, DIMS] },
      features: { data: Float32Array.from(items, ({ price }) => price), shape: [500, 1], names: ['price'] },
    },
    index: { clusters: 8 },
    value: 'price * 10 - score',
  });
  const valued = (query: Float32Array, among: readonly (typeof items)[number][]) =>
    among
      .map(({ id, vector, price }) => ({
        id,
        score: price * 10 - vector.reduce((sum, value, d) => sum + value * (query[d] as number), 0),
      }))
      .sort((a, b) => b.score - a.score);
  for (let round = 0; round < 10; round++) {
    const liked = random.pick(items);
    const among = items.filter((item) => item !== liked && random.chance(0.2));
    const wanted = valued(liked.vector, among);
    const request = { like: [liked.id], rank: [liked.id, ...among.map(({ id }) => id)] };
    const result = await model.retrieve(request);
    expect([...result.scores]).toEqual(wanted.map(({ score }) => score));
    expect(result.ids).toEqual(wanted.map(({ id }) => id));
    const { score: minScore } = wanted[7] as { score: number };
    const cut = await model.retrieve({ ...request, k: 5, offset: 4, minScore });
    expect(cut.ids).toEqual(
      wanted
        .slice(4, 9)
        .filter(({ score }) => score >= minScore)
        .map(({ id }) => id),
    );
  }
  await model.close();
});

describe('what does not go together is refused by name', () => {
  const embedding = new Float32Array(DIMS).fill(1);
  test.each<[string, object, string, string | undefined]>([
    ['nothing to score by', {}, 'INVALID_ARGUMENT', undefined],
    ['two kinds of user', { embedding, like: [3] }, 'INVALID_ARGUMENT', undefined],
    ['a liked id that no item has', { like: [4] }, 'INVALID_ARGUMENT', 'like'],
    ['a disliked one', { like: [3], dislike: [4] }, 'INVALID_ARGUMENT', 'dislike'],
    ['an id of another type', { like: ['3'] }, 'INVALID_ARGUMENT', 'like'],
    ['no liked ids', { like: [] }, 'INVALID_ARGUMENT', 'like'],
    ['dislike alone', { embedding, dislike: [3] }, 'INVALID_ARGUMENT', 'dislike'],
    ['strategy alone', { embedding, strategy: 'best' }, 'INVALID_ARGUMENT', 'strategy'],
    ['another strategy', { like: [3], strategy: 'worst' }, 'INVALID_ARGUMENT', 'strategy'],
    ['best with dislike', { like: [3], dislike: [10], strategy: 'best' }, 'INVALID_ARGUMENT', 'dislike'],
    ['best of too many', { like: Array(65).fill(3), strategy: 'best' }, 'LIMIT_EXCEEDED', 'like'],
    ['rank with probes', { embedding, rank: [3], probes: 2 }, 'INVALID_ARGUMENT', 'probes'],
    ['rank with recall', { embedding, rank: [3], recall: 0.9 }, 'INVALID_ARGUMENT', 'recall'],
    ['rank that is no list', { embedding, rank: 3 }, 'INVALID_ARGUMENT', 'rank'],
    ['too many to rank', { embedding, rank: new Int32Array(131_073) }, 'LIMIT_EXCEEDED', 'rank'],
    ['allow that is text', { embedding, allow: 'all' }, 'INVALID_ARGUMENT', 'allow'],
    ['a broken bitmap', { embedding, allow: new Uint8Array(7) }, 'INVALID_ARGUMENT', 'allow'],
    ['minScore NaN', { embedding, minScore: Number.NaN }, 'INVALID_ARGUMENT', 'minScore'],
    ['minScore as text', { embedding, minScore: '1' }, 'INVALID_ARGUMENT', 'minScore'],
    ['a negative offset', { embedding, offset: -1 }, 'INVALID_ARGUMENT', 'offset'],
    ['half an offset', { embedding, offset: 0.5 }, 'INVALID_ARGUMENT', 'offset'],
    ['a page beyond maxK', { embedding, offset: 2 ** 20, k: 1 }, 'LIMIT_EXCEEDED', 'offset'],
  ])('%s', async (_, request, code, field) => {
    const { model } = await given;
    await expect(model.retrieve(request)).rejects.toMatchObject({ code, ...(field && { field }) });
  });
  const given = make(51, 'number', 'flat');
});
