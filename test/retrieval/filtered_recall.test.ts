// Recall of filtered requests with default settings, against exact search in float32 over the eligible items.
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { testDevice } from '../support/device.js';
import { publish } from './publish.js';

const seed = 77;
const k = 100;
const shares = { tenth: 0.1, percent: 0.01, permille: 0.001 };
type Share = keyof typeof shares;

describe.runIf(testDevice === 'cpu')('recall of filtered requests', async () => {
  const sources = 600;
  const catalogue = makeCatalogue({ items: 60_000, dims: 32, clusters: sources, queries: 40, users: 1, seed });
  const { ids, embeddings, queries, clusterOf } = catalogue;
  const [, dims] = embeddings.shape;
  const random = new Random(seed);
  const columns: Record<string, boolean[]> = {};
  for (const [name, share] of Object.entries(shares)) {
    columns[`independent_${name}`] = Array.from(ids, () => random.chance(share));
    // Whole neighbourhoods, most of them far from a query; where that is less than one, a part of it.
    const count = Math.max(1, share * sources);
    const kept = new Set(random.shuffle(Array.from({ length: sources }, (_, source) => source)).slice(0, count));
    const part = (share * sources) / count;
    columns[`clustered_${name}`] = Array.from(clusterOf, (source) => kept.has(source) && random.chance(part));
  }
  await using model = await publish({ items: { ids, embeddings, attributes: columns }, index: { clusters: 'auto' } });
  const described = model.describe();

  const truth = (query: Float32Array, eligible: readonly number[]): Set<number> => {
    const scored = eligible.map((item) => {
      let dot = 0;
      for (let d = 0; d < dims; d++) dot += (query[d] as number) * (embeddings.data[item * dims + d] as number);
      return [item, dot] as const;
    });
    return new Set(
      scored
        .sort((a, b) => b[1] - a[1] || a[0] - b[0])
        .slice(0, k)
        .map(([item]) => item),
    );
  };
  /** Mean recall, and what is never to happen. */
  const measure = async (column: string | undefined) => {
    const eligible = Array.from(ids).filter((item) => column === undefined || columns[column]?.[item]);
    const requests = Array.from({ length: queries.shape[0] }, (_, q) => ({
      embedding: queries.data.slice(q * dims, (q + 1) * dims),
      filter: column && `${column}:true`,
      k,
    }));
    let recall = 0;
    let [violations, short, clusters] = [0, 0, 0];
    for (const request of requests) {
      const { ids: found, stats } = await model.retrieve(request);
      const wanted = truth(request.embedding, eligible);
      recall += found.filter((id) => wanted.has(id as number)).length / wanted.size / requests.length;
      violations += found.filter((id) => column && !columns[column]?.[id as number]).length;
      short += found.length === Math.min(k, eligible.length) ? 0 : 1;
      clusters = Math.max(clusters, stats.probedClusters);
    }
    return { recall, violations, short, clusters };
  };
  const measured = new Map<string | undefined, Awaited<ReturnType<typeof measure>>>();
  for (const column of [undefined, ...Object.keys(columns)]) measured.set(column, await measure(column));

  test("'auto' clusters by four square roots of the items, to a power of two", () => {
    expect(described).toMatchObject({ clusters: 1024, flat: false });
    expect(described.probes).toBeLessThan(1024);
  });

  test('an unfiltered request reaches the target without a look at all clusters', () => {
    const plain = measured.get(undefined);
    expect(plain?.short).toBe(0);
    expect(plain?.clusters).toBeLessThan(1024);
    expect(plain?.recall).toBeGreaterThanOrEqual(0.95);
  });

  for (const kind of ['independent', 'clustered']) {
    for (const share of Object.keys(shares) as Share[]) {
      test(`${kind} filters that ${100 * shares[share]} % of the items pass`, () => {
        const own = measured.get(`${kind}_${share}`);
        expect(own).toMatchObject({ violations: 0, short: 0 });
        expect(own?.recall).toBeGreaterThanOrEqual(0.95);
      });
    }
  }
});

test("'auto' scans small catalogues whole", async () => {
  const { ids, embeddings } = makeCatalogue({ items: 20_000, dims: 4, queries: 1, users: 1, seed });
  await using model = await publish({ items: { ids, embeddings }, index: { clusters: 'auto' } });
  expect(model.describe()).toMatchObject({ clusters: 1, flat: true, probes: 1 });
  const plan = await model.explain({ embedding: embeddings.data.slice(0, 4) });
  expect(plan.strategy).toBe('flat');
});
