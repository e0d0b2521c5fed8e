import { nn, publish, type RetrieveResult } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { randomCatalogue } from './catalogue.js';

describe('value formula and reranker', async () => {
  const random = new Random(8);
  const items = 600;
  const catalogue = randomCatalogue(random, { items, dims: 12, attributes: true });
  const price = Float32Array.from({ length: items }, (_, i) => i % 50);
  const features = { data: price, shape: [items, 1] as const, names: ['price'] };
  const given = {
    items: {
      ids: Array.from({ length: items }, (_, i) => i),
      embeddings: { data: catalogue.data, shape: [items, 12] as const },
      features,
    },
  };
  const query = catalogue.data.slice(0, 12);

  test('weights are given per request, else their default, else 0', async () => {
    using model = await publish({ ...given, value: 'score + weight.price * price', weights: { price: 10 } });
    const plain = new Map(await scoresOf(model, { price: 0 }));
    for (const weights of [{ price: 3 }, { price: -1 }, undefined]) {
      const weight = weights?.price ?? 10;
      for (const [id, score] of await scoresOf(model, weights)) {
        const expected = Math.fround((plain.get(id) as number) + weight * (price[id as number] as number));
        expect(score).toBe(expected);
      }
    }
  });

  test('value is computed for the best candidates by score alone, however large the batch', async () => {
    using model = await publish({ ...given, value: '-score' });
    const lowest = (await model.retrieve({ embedding: query, k: items })).scores.reverse();
    const requests = [1, 7, 64, 65, 200, 599, 300].map((candidates) => ({ embedding: query, k: 1, candidates }));
    const results = (await model.retrieve(requests)) as RetrieveResult[];
    results.forEach(({ scores, stats }, i) => {
      expect([...scores]).toEqual([lowest[(requests[i]?.candidates as number) - 1]]);
      expect(stats.candidates).toBe(requests[i]?.candidates);
    });
    const raised = await model.retrieve({ embedding: query, k: 20, candidates: 3 });
    expect(raised.stats.candidates).toBe(20);
  });

  test('NaN ranks last, then publish order', async () => {
    using model = await publish({ ...given, value: 'if(price < 10, 0/0, price)' });
    const { ids, scores } = await model.retrieve({ embedding: query, k: items });
    const finite = [...price].filter((p) => p >= 10).length;
    expect([...scores.subarray(0, finite)].every((score) => score >= 10)).toBe(true);
    expect([...scores.subarray(finite)].every(Number.isNaN)).toBe(true);
    expect(ids.slice(finite)).toEqual(given.items.ids.filter((id) => (price[id] as number) < 10));
  });

  test('tasks are in the results, one logit per item, and the first is the score without a formula', async () => {
    const rerank = new nn.OverArch({ dims: 12, features: 1, hidden: [8], tasks: ['click', 'like'] });
    using model = await publish({ ...given, rerank });
    const { ids, scores, tasks } = await model.retrieve({ embedding: query, k: 30 });
    expect(Object.keys(tasks ?? {})).toEqual(['click', 'like']);
    expect(tasks?.click).toEqual(scores);
    expect(tasks?.like).toHaveLength(ids.length);
    expect([...scores].sort((a, b) => b - a)).toEqual([...scores]);
    await expectCode('SHAPE_MISMATCH', () => model.retrieve({ embedding: [query, query] }));
  });

  async function scoresOf(model: Awaited<ReturnType<typeof publish>>, weights?: Record<string, number>) {
    const { ids, scores } = await model.retrieve({ embedding: query, k: items, weights });
    return ids.map((id, i) => [id, scores[i] as number] as const);
  }
});
