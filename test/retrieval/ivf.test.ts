import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { property } from '../support/ops.js';
import {
  answerOf,
  expectAnswer,
  publishCatalogue,
  ReferenceRetrieval,
  randomCatalogue,
  randomRequest,
  randomVectors,
} from './catalogue.js';

const METRICS = ['ip', 'cosine', 'l2'] as const;

describe('IVF with probes = clusters equals flat', () => {
  for (const metric of METRICS) {
    test(metric, async () => {
      const random = new Random(11);
      const catalogue = randomCatalogue(random, { items: 1500, dims: 33, metric, bias: true, attributes: true });
      const reference = new ReferenceRetrieval(catalogue);
      using model = await publishCatalogue(catalogue, { index: { clusters: 24 } });
      for (const heads of [1, 3]) {
        for (let i = 0; i < 8; i++) {
          const request = randomRequest(random, catalogue, heads);
          expectAnswer(await model.retrieve({ ...request.given, probes: 24 }), reference, request.reference);
        }
      }
    });
  }
});

property('IVF always gives min(k, eligible) results, all of them eligible, with flat scores', 5, async (random) => {
  const items = 200 + random.integer(2000);
  const dims = 1 + random.integer(40);
  const catalogue = randomCatalogue(random, { items, dims, metric: random.pick(METRICS), attributes: true });
  const reference = new ReferenceRetrieval(catalogue);
  using model = await publishCatalogue(catalogue, { index: { clusters: 1 + random.integer(60) } });
  for (let i = 0; i < 25; i++) {
    const { given, reference: asked } = randomRequest(random, catalogue, 1 + random.integer(3));
    const { ids, scores, stats } = await model.retrieve({ ...given, probes: 1 + random.integer(4), minCandidates: 1 });
    // With several heads an item has the score of one that probed its cluster.
    const scoresOf = asked.heads.map((head) => {
      const all = reference.retrieve({ ...asked, heads: [head], k: items });
      return new Map(all.map(({ id, score }) => [id, score]));
    });
    const eligible = scoresOf[0]?.size as number;
    expect(ids.length).toBe(Math.min(asked.k, eligible));
    ids.forEach((id, at) => {
      expect(scoresOf.map((ofHead) => ofHead.get(id as number))).toContain(scores[at]);
    });
    expect(new Set(ids).size).toBe(ids.length);
    expect(stats.eligibleRows).toBeGreaterThanOrEqual(ids.length);
    expect(stats.eligibleRows).toBeLessThanOrEqual(eligible);
  }
});

describe('eligibility-aware probing', () => {
  const random = new Random(5);
  const items = 4000;
  const dims = 16;
  const data = randomVectors(random, items, dims);
  const rare = Array.from({ length: items }, (_, i) => (i % 1000 === 7 ? 'rare' : 'common'));
  const catalogue = { items, dims, data, attributes: [column('kind', rare)] };
  const embedding = data.slice(0, dims);

  test('tells its strategy: ivf, ivf-extended, filter-only', async () => {
    using model = await publishCatalogue(catalogue, { index: { clusters: 64, probes: 4 } });
    const plain = await model.retrieve({ embedding, k: 10 });
    expect(plain.stats).toMatchObject({ strategy: 'ivf', probedClusters: 4, doubtfulRows: 0, exact: true });
    expect(plain.stats.scannedRows).toBe(plain.stats.eligibleRows);
    const extended = await model.retrieve({ embedding, k: 1000 });
    expect(extended.stats.strategy).toBe('ivf-extended');
    expect(extended.stats.probedClusters).toBeGreaterThan(4);
    expect(extended.stats.probedClusters).toBeLessThan(64);
    expect(extended.stats.eligibleRows).toBeGreaterThanOrEqual(1000);
    const filtered = await model.retrieve({ embedding, k: 10, filter: 'kind:rare' });
    expect(filtered.stats).toMatchObject({ strategy: 'filter-only', scannedRows: 4, eligibleRows: 4, candidates: 4 });
    expect(filtered.ids.length).toBe(4);
  });

  test('scores all that are eligible where they are few, and the nearest where they are not', async () => {
    using model = await publishCatalogue(catalogue, { index: { clusters: 64, probes: 4 } });
    const rare = { embedding, k: 10, filter: 'kind:rare' };
    expect(await model.explain(rare)).toMatchObject({ strategy: 'filter-only', probes: 0 });
    expect((await model.explain({ ...rare, minCandidates: 1, k: 1 })).strategy).toBe('ivf');
    expect(await model.explain({ ...rare, filter: 'NOT kind:rare' })).toMatchObject({ strategy: 'ivf', probes: 4 });
    const ranked = await model.retrieve({ ...rare, k: 3, minCandidates: 3, probes: 64 });
    const few = await model.retrieve({ ...rare, k: 3 });
    expect(few.stats.probedClusters).toBeLessThanOrEqual(4);
    expect(ranked.stats.probedClusters).toBe(64);
    expect(answerOf(few)).toEqual(answerOf(ranked));
    const seen = few.ids.slice(0, 2);
    expect((await model.retrieve({ ...rare, exclude: seen })).ids).not.toContain(seen[0]);
    expect((await model.retrieve({ ...rare, exclude: seen })).ids).toHaveLength(2);
  });

  test('reaches minCandidates eligible rows, or exhausts the catalogue', async () => {
    using model = await publishCatalogue(catalogue, { index: { clusters: 64, probes: 1 } });
    for (const minCandidates of [1, 500, 2000, 3996, 10_000]) {
      const { stats } = await model.retrieve({ embedding, k: 1, filter: 'kind:common', minCandidates });
      expect(stats.eligibleRows).toBeGreaterThanOrEqual(Math.min(minCandidates, 3996));
    }
    const small = await model.retrieve({ embedding, k: 1, filter: 'kind:common', minCandidates: 1 });
    expect(small.stats.probedClusters).toBe(1);
  });

  test('takes more clusters than there are as all of them', async () => {
    using model = await publishCatalogue(catalogue, { index: { clusters: 8 } });
    const all = await model.retrieve({ embedding, probes: 8 });
    expect(answerOf(await model.retrieve({ embedding, probes: 1_000_000 }))).toEqual(answerOf(all));
    expect(all.stats.probedClusters).toBe(8);
  });
});

test('every head probes for itself', async () => {
  const random = new Random(6);
  const catalogue = randomCatalogue(random, { items: 3000, dims: 24 });
  using model = await publishCatalogue(catalogue, { index: { clusters: 50, probes: 3 } });
  const heads = [randomVectors(random, 1, 24), randomVectors(random, 1, 24)];
  const both = await model.retrieve({ embedding: heads, k: 20 });
  const alone = await Promise.all(heads.map((embedding) => model.retrieve({ embedding, k: 20 })));
  const best = new Map<unknown, number>();
  for (const { ids, scores } of alone) {
    ids.forEach((id, i) => {
      best.set(id, Math.max(best.get(id) ?? Number.NEGATIVE_INFINITY, scores[i] as number));
    });
  }
  const merged = [...best].sort(([a, x], [b, y]) => y - x || (a as number) - (b as number)).slice(0, 20);
  expect(both.ids).toEqual(merged.map(([id]) => id));
  expect([...both.scores]).toEqual(merged.map(([, score]) => score));
});

function column(name: string, values: readonly string[]) {
  return { name, type: 'string', multi: false, values: values.map((value) => [value]) } as const;
}
