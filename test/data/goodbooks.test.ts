import { beforeAll, describe, expect, test, vi } from 'vitest';
import { dataFolder, dataSetFolder } from '../../lib/data/data_folder.js';
import { type Goodbooks, itemsOf, loadGoodbooks } from '../../lib/data/goodbooks.js';
import { filterText } from '../../lib/data/goodbooks_filters.js';
import { loadSift } from '../../lib/data/sift.js';

describe('filterText', () => {
  test.each<[Parameters<typeof filterText>[0], string]>([
    [{ has: ['tags', 'science-fiction'] }, 'tags:science-fiction'],
    [{ has: ['authors', 'Stephen King'] }, 'authors:"Stephen King"'],
    [{ eq: ['title', 'a "b" \\c'] }, 'title:"a \\"b\\" \\\\c"'],
    [{ eq: ['title', 'NOT'] }, 'title:"NOT"'],
    [{ eq: ['title', '-x'] }, 'title:"-x"'],
    [{ in: ['language', ['eng', 'en-US']] }, 'language:(eng OR en-US)'],
    [{ between: ['year', -1750, 1949] }, 'year:[-1750 TO 1949]'],
    [{ and: [{ ge: ['year', 1990] }, { le: ['price', 2.5] }] }, 'year:>=1990 AND price:<=2.5'],
    [{ not: { or: [{ eq: ['a', 1] }, { not: { eq: ['b', 2] } }] } }, 'NOT (a:1 OR NOT b:2)'],
    [{ and: [{ or: [{ eq: ['a', 1] }, { eq: ['b', 2] }] }, { eq: ['c', 3] }] }, '(a:1 OR b:2) AND c:3'],
  ])('%j', (tree, text) => expect(filterText(tree)).toBe(text));
});

test('without the data, the folder is an error', () => {
  vi.stubEnv('SILVERLODE_DATA', '/nowhere');
  expect(dataFolder()).toBeUndefined();
  expect(() => dataSetFolder('goodbooks10k')).toThrow(expect.objectContaining({ code: 'IO_ERROR' }));
  vi.unstubAllEnvs();
});

describe.skipIf(!dataFolder())('goodbooks-10k', () => {
  let books: Goodbooks;
  beforeAll(async () => {
    books = await loadGoodbooks();
  });

  test('loads completely', () => {
    expect(books).toMatchObject({ itemCount: 10_000, userCount: 53_424 });
    expect(books.itemFactors.shape).toEqual([10_000, 64]);
    for (const column of Object.values(books.attributes)) expect(column).toHaveLength(10_000);
    expect(books.attributes.authors[1]).toEqual(['J.K. Rowling', 'Mary GrandPré']);
    expect(books.attributes.language.filter((language) => language === null)).toHaveLength(1084);

    expect(books.train.items).toHaveLength(883_658);
    expect(books.train.offsets.at(-1)).toBe(883_658);
    expect(books.train.ratings.every((rating) => rating >= 1 && rating <= 5)).toBe(true);

    const { users, items, perUser } = books.heldOut;
    expect([users.length, items.length, perUser]).toEqual([9582, 95_820, 10]);
    for (let row = 0; row < 200; row++) {
      const seen = new Set(itemsOf(books.train, users[row] as number));
      expect(items.subarray(row * perUser, (row + 1) * perUser).some((item) => seen.has(item))).toBe(false);
    }
  });

  test('stored answers are inner products of the factors', () => {
    const { exact, itemFactors, queryUsers, userFactors, train } = books;
    for (let row = 0; row < 20; row++) {
      const user = queryUsers[row] as number;
      const item = exact.unseen.ids[row * exact.unseen.k] as number;
      let score = 0;
      for (let dim = 0; dim < 64; dim++) {
        score += (userFactors.data[user * 64 + dim] as number) * (itemFactors.data[item * 64 + dim] as number);
      }
      expect(exact.unseen.scores[row * exact.unseen.k]).toBeCloseTo(score, 5);
      expect(itemsOf(train, user)).not.toContain(item);
    }
  });

  test('filters come with masks and answers that agree', () => {
    const { filters, filterQueryUsers } = books;
    expect(filters.map(({ text }) => text)).toMatchInlineSnapshot(`
      [
        "tags:fantasy",
        "tags:science-fiction AND NOT tags:romance",
        "language:eng AND average_rating:>=4.2",
        "year:[1800 TO 1949]",
        "tags:manga OR tags:comics",
        "tags:history AND tags:nonfiction AND year:>=1990",
        "authors:"Stephen King"",
        "NOT language:(eng OR en-US OR en-GB OR en-CA) AND ratings_count:>=10000",
        "tags:mystery AND tags:crime AND NOT tags:young-adult AND year:[2000 TO 2017] AND average_rating:>=4",
        "tags:poetry",
        "NOT tags:general-fiction",
        "authors:"Jane Austen" AND year:>=1990",
      ]
    `);
    for (const { mask, eligible, exact } of filters) {
      const has = (item: number): boolean => (((mask[item >> 3] as number) >> (item & 7)) & 1) === 1;
      expect(Array.from({ length: 10_000 }, (_, item) => item).filter(has)).toHaveLength(eligible);
      expect(exact.ids).toHaveLength(filterQueryUsers.length * exact.k);
      expect(exact.ids.every((item) => item === -1 || has(item))).toBe(true);
    }
  });

  test('models come with names and references', () => {
    const { models } = books;
    expect(models.tasks).toEqual(['read', 'like']);
    expect(models.features.shape).toEqual([10_000, 11]);
    expect(models.features.names).toHaveLength(11);
    const { reference } = models;
    expect(reference.logits).toHaveLength(64 * 500 * 2);
    expect(reference.historyOffsets.at(-1)).toBe(reference.historyIds.length);
    expect(reference.tower.shape).toEqual([64, 64]);
  });
});

describe.skipIf(!dataFolder('ann-sift128-mnist10k'))('ann-sift128-mnist10k', () => {
  test('loads, and its first neighbour is the nearest', async () => {
    const { base, queries, learn, nearest, k, labels, queryLabels } = await loadSift();
    expect([base.shape, queries.shape, learn.shape]).toEqual([
      [10_000, 128],
      [100, 128],
      [25_000, 128],
    ]);
    expect([nearest.length, labels.length, queryLabels.length]).toEqual([100 * k, 10_000, 100]);
    const distance = (row: number): number => {
      let sum = 0;
      for (let dim = 0; dim < 128; dim++) {
        sum += ((base.data[row * 128 + dim] as number) - (queries.data[dim] as number)) ** 2;
      }
      return sum;
    };
    const distances = Array.from({ length: 10_000 }, (_, row) => distance(row));
    expect(distance(nearest[0] as number)).toBe(Math.min(...distances));
  });
});
