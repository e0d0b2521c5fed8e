// Answers on the calling thread: the same as those by promise, whatever else is under way.
import { nn, type RetrieveRequest } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { publishCatalogue, randomCatalogue, randomRequest, randomVectors } from '../retrieval/catalogue.js';
import { publish } from '../retrieval/publish.js';

const seed = Date.now() % 1_000_000;
console.log(`seed ${seed}`);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
}

describe('retrieveSync', () => {
  test('gives what retrieve gives, also first of all, beside requests in flight and in any bucket', async () => {
    const random = new Random(seed);
    const catalogue = randomCatalogue(random, {
      items: 1200,
      dims: 24,
      metric: 'cosine',
      bias: true,
      attributes: true,
    });
    await using model = await publishCatalogue(catalogue, { index: { clusters: 20, probes: 4 } });
    const requests: RetrieveRequest[] = Array.from({ length: 40 }, (_, i) => ({
      ...randomRequest(random, catalogue, i % 3 === 2 ? 2 : 1).given,
      k: [1, 7, 300][i % 3] as number,
    }));
    for (const request of requests) {
      const [before, after] = [model.retrieve(request), model.retrieve(request)];
      const here = model.retrieveSync(request);
      expect(await before).toEqual(here);
      expect(await after).toEqual(here);
      expect(model.retrieveSync(request)).toEqual(here);
    }
  });

  test('runs tower, reranker and value formula, and sees updates', async () => {
    const random = new Random(seed + 1);
    const items = 300;
    const data = randomVectors(random, items, 16);
    await using model = await publish({
      items: { ids: Array.from({ length: items }, (_, i) => `item ${i}`), embeddings: { data, shape: [items, 16] } },
      rerank: new nn.OverArch({ dims: 16, hidden: [8], tasks: ['click', 'like'] }),
      value: 'click + 2 * like + 0.1 * score',
    });
    const request = { embedding: randomVectors(random, 1, 16), k: 12 };
    expect(model.retrieveSync(request)).toEqual(await model.retrieve(request));
    const [best] = model.retrieveSync(request).ids;
    await model.delete([best as string]);
    await model.upsert({ ids: ['new'], embeddings: { data: randomVectors(random, 1, 16), shape: [1, 16] } });
    const later = model.retrieveSync({ ...request, k: items });
    expect(later).toEqual(await model.retrieve({ ...request, k: items }));
    expect(later.ids).toContain('new');
    expect(later.ids).not.toContain(best);
    expect(model.retrieveSync({ ...request, k: items, exclude: ['new'] }).ids).not.toContain('new');
  });

  test('refuses what retrieve refuses, and tells a deadline that has passed', async () => {
    const catalogue = randomCatalogue(new Random(seed + 2), { items: 100, dims: 8 });
    const model = await publishCatalogue(catalogue, { index: { clusters: 'flat' } });
    const embedding = catalogue.data.slice(0, 8);
    expect(codeOf(() => model.retrieveSync({ embedding: embedding.slice(1) }))).toBe('SHAPE_MISMATCH');
    expect(codeOf(() => model.retrieveSync({ embedding, filter: 'nobody:1' }))).toBe('UNKNOWN_FIELD');
    expect(codeOf(() => model.retrieveSync({ embedding, deadlineMs: 0 }))).toBe('DEADLINE');
    const inFlight = model.retrieve({ embedding });
    const closed = model.close();
    expect(codeOf(() => model.retrieveSync({ embedding }))).toBe('DISPOSED');
    expect((await inFlight).ids).toHaveLength(100);
    await closed;
  });
});
