import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Catalogue, type CatalogueOptions, makeCatalogue } from '../../lib/data/synthetic.js';

function digest({ embeddings, queries, attributes, users, clusterOf }: Catalogue): string {
  const hash = createHash('sha256').update(embeddings.data).update(queries.data).update(clusterOf);
  for (const user of users) hash.update(user.embedding).update(JSON.stringify([user.liked, user.heldOut]));
  return hash.update(JSON.stringify(attributes)).digest('hex').slice(0, 16);
}

describe('makeCatalogue', () => {
  const options: CatalogueOptions = { items: 3000, dims: 24, clusters: 30, queries: 50, users: 20, seed: 11 };
  const catalogue = makeCatalogue(options);
  const { attributes, embeddings, queries, users } = catalogue;

  test('makes the same catalogue everywhere', () => {
    expect(digest(catalogue)).toBe('60ee002f47b39bbe');
    expect(digest(makeCatalogue(options))).toBe(digest(catalogue));
    expect(digest(makeCatalogue({ ...options, seed: 12 }))).not.toBe(digest(catalogue));
  });

  test('keeps every part apart: fewer queries change nothing else', () => {
    const other = makeCatalogue({ ...options, queries: 7 });
    expect(other.queries.data).toEqual(queries.data.subarray(0, 7 * 24));
    expect(other.embeddings).toEqual(embeddings);
    expect(other.attributes).toEqual(attributes);
    expect(other.users).toEqual(users);
  });

  test('has unit rows of the asked shapes', () => {
    expect(embeddings.shape).toEqual([3000, 24]);
    expect(queries.shape).toEqual([50, 24]);
    for (const data of [embeddings.data, queries.data]) {
      for (let begin = 0; begin < data.length; begin += 24) {
        expect(Math.hypot(...data.subarray(begin, begin + 24))).toBeCloseTo(1, 5);
      }
    }
    expect(catalogue.ids).toEqual(Int32Array.from({ length: 3000 }, (_, item) => item));
  });

  test('puts items nearer to their own cluster than to others', () => {
    const dot = (a: number, b: number): number => {
      let sum = 0;
      for (let dim = 0; dim < 24; dim++) {
        sum += (embeddings.data[a * 24 + dim] as number) * (embeddings.data[b * 24 + dim] as number);
      }
      return sum;
    };
    const sums = { same: 0, sameCount: 0, other: 0, otherCount: 0 };
    for (let a = 0; a < 300; a++) {
      for (let b = 0; b < a; b++) {
        const key = catalogue.clusterOf[a] === catalogue.clusterOf[b] ? 'same' : 'other';
        sums[key] += dot(a, b);
        sums[`${key}Count`]++;
      }
    }
    expect(sums.same / sums.sameCount).toBeGreaterThan(0.3);
    expect(Math.abs(sums.other / sums.otherCount)).toBeLessThan(0.05);
  });

  test('has attributes of the documented selectivity and missing values', () => {
    const share = (column: readonly unknown[], value: unknown): number =>
      column.filter((entry) => entry === value).length / column.length;
    const { p50, p10, p1, p01 } = makeCatalogue({ items: 50_000, dims: 1, queries: 0, users: 0 }).attributes;
    expect(share(p50, true)).toBeCloseTo(0.5, 1.5);
    expect(share(p10, true)).toBeCloseTo(0.1, 2);
    expect(share(p1, true)).toBeCloseTo(0.01, 2);
    expect(share(p01, true)).toBeCloseTo(0.001, 3);
    for (const column of ['language', 'tags', 'year', 'price', 'in_stock'] as const) {
      expect(share(attributes[column], null), column).toBeGreaterThan(0);
      expect(share(attributes[column], null), column).toBeLessThan(0.06);
    }
    for (const column of Object.values(attributes)) expect(column).toHaveLength(3000);
    expect(new Set(attributes.tags.flat()).size).toBeGreaterThan(150);
    expect(share(attributes.language, 'en')).toBeGreaterThan(2 * share(attributes.language, 'de'));
  });

  test('gives users tastes to be found again', () => {
    expect(users).toHaveLength(20);
    for (const { liked, heldOut, embedding } of users) {
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
      expect(new Set([...liked, ...heldOut]).size).toBe(liked.length + heldOut.length);
      expect(heldOut.length).toBeGreaterThan(0);
      const likedClusters = new Set(liked.map((item) => catalogue.clusterOf[item]));
      expect(likedClusters.size).toBeLessThanOrEqual(3);
    }
  });

  test('works at the edges', () => {
    const tiny = makeCatalogue({ items: 1, dims: 1, clusters: 5, queries: 2, users: 1 });
    expect(Math.abs(tiny.embeddings.data[0] as number)).toBe(1);
    expect(tiny.users[0]?.liked).toEqual([0]);
    expect(makeCatalogue({ items: 10, dims: 2, queries: 0, users: 0 }).queries.shape).toEqual([0, 2]);
  });

  test('is quick: prints the time of 100 000 x 64', () => {
    const start = performance.now();
    makeCatalogue({ items: 100_000, dims: 64 });
    console.log(`100 000 x 64 in ${Math.round(performance.now() - start)} ms`);
  });
});
