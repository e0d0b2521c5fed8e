// Updates of a model on a GPU: the same answers as the same updates on the CPU.
import { RetrievalModel, type RetrieveResult } from 'silverlode';
import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { publish } from '../retrieval/publish.js';
import { tempFolder } from '../support/temp_folder.js';

const ITEMS = 400;
const DIMS = 24;
const folder = await tempFolder();
const seed = Date.now() % 1_000_000;
console.log(`seed ${seed}`);
const random = new Random(seed);
const vectors = (count: number) => Float32Array.from({ length: count * DIMS }, () => random.normal());

test('upserts, deletes, attributes, features and folding', async () => {
  const path = folder.path('model.silverlode');
  {
    await using published = await publish({
      device: 'cpu',
      index: { clusters: 8, probes: 8 },
      items: {
        ids: Int32Array.from({ length: ITEMS }, (_, id) => id),
        embeddings: { data: vectors(ITEMS), shape: [ITEMS, DIMS] },
        attributes: { shelf: Array.from({ length: ITEMS }, (_, id) => `s${id % 7}`) },
        features: { data: new Float32Array(ITEMS).fill(1), shape: [ITEMS, 1], names: ['boost'] },
      },
      value: 'score + boost',
    });
    await published.save(path);
  }
  await using onCpu = await RetrievalModel.load(path, { device: 'cpu' });
  await using onGpu = await RetrievalModel.load(path, { device: 'cuda' });
  const requests = Array.from({ length: 6 }, (_, i) => ({
    embedding: vectors(1),
    k: 30,
    candidates: ITEMS,
    ...(i % 2 === 0 ? {} : { filter: 'shelf:s3 OR shelf:new' }),
  }));
  const compare = async () => {
    const [expected, actual] = await Promise.all([onCpu.retrieve(requests), onGpu.retrieve(requests)]);
    for (const [i, each] of (actual as RetrieveResult[]).entries()) {
      const { ids, scores, stats } = expected[i] as RetrieveResult;
      expect(each.ids).toEqual(ids);
      expect(each.stats.eligibleRows).toBe(stats.eligibleRows);
      each.scores.forEach((score, rank) => {
        expect(score).toBeCloseTo(scores[rank] as number, 4);
      });
    }
    return (actual as RetrieveResult[]).map(({ ids }) => ids);
  };
  const both = async (update: (model: RetrievalModel) => Promise<unknown>) => {
    await Promise.all([update(onCpu), update(onGpu)]);
    return compare();
  };

  const before = await compare();
  const lifted = before[0]?.findLast((id) => Number(id) % 7 !== 3) as number; // not one that the filter lets pass
  expect((await both((model) => model.updateFeatures([lifted], { boost: [1000] })))[0]?.[0]).toBe(lifted);
  const added = { data: vectors(3), shape: [3, DIMS] as const };
  const items = { ids: [1000, 1001, 5], embeddings: added, attributes: { shelf: ['new', 'new', 's3'] } };
  const features = { data: Float32Array.of(500, 600, 700), shape: [3, 1] as const };
  expect((await both((model) => model.upsert({ ...items, features })))[1]?.slice(0, 3)).toEqual([5, 1001, 1000]);
  expect((await both((model) => model.delete([1001, lifted]))).flat()).not.toContain(lifted);
  expect((await both((model) => model.updateAttributes([1000], { shelf: ['s1'] })))[1]).not.toContain(1000);
  const updated = await compare();
  expect(await both((model) => model.compact())).toEqual(updated);
});
