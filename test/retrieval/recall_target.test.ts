// What comes back at default settings, against exact float64 lists, where a fixed number of probes loses most of it.
import { RetrievalModel, type RetrieveRequest } from 'silverlode';
import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { openDevice } from '../../lib/native/device.js';
import type { Manifest } from '../../lib/retrieval/manifest.js';
import { readModelFile, writeModelFile } from '../../lib/snapshot/model_file.js';
import { testDevice } from '../support/device.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { publish } from './publish.js';

const folder = await tempFolder();
const [dims, groups, size] = [32, 100, 120];
const items = groups * size;

/** Tight groups of unit vectors; item i is of group i mod `groups`. */
function makeItems(random: Random, count: number) {
  const centres = Array.from({ length: groups }, () => Float64Array.from({ length: dims }, () => random.normal()));
  const data = new Float32Array(count * dims);
  for (let i = 0; i < count; i++) {
    const vector = (centres[i % groups] as Float64Array).map((value) => value + 0.5 * random.normal());
    const length = Math.hypot(...vector);
    data.set(
      vector.map((value) => value / length),
      i * dims,
    );
  }
  return data;
}

/** Items by their exact scores, best first. */
function ranked(data: Float32Array, query: Float32Array): { order: number[]; scores: Float64Array } {
  const scores = Float64Array.from({ length: data.length / dims }, (_, item) => {
    let score = 0;
    for (let d = 0; d < dims; d++) score += (data[item * dims + d] as number) * (query[d] as number);
    return score;
  });
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  return { order, scores };
}

describe.runIf(testDevice === 'cpu')('recall at default settings', async () => {
  const random = new Random(12);
  const data = makeItems(random, items + 15);
  const given = data.subarray(0, items * dims);
  const queries = Array.from({ length: 15 }, (_, q) => data.slice((items + q) * dims, (items + q + 1) * dims));
  const draw = Int32Array.from({ length: items }, () => random.integer(1000));
  const group = Int32Array.from({ length: items }, (_, item) => item % groups);
  const model = await publish({
    items: {
      ids: Int32Array.from({ length: items }, (_, item) => item),
      embeddings: { data: given.slice(), shape: [items, dims] },
      attributes: { draw, group },
    },
    index: { clusters: 256 },
  });
  afterAll(() => model.close());

  type Ask = (order: number[], q: number) => { request: RetrieveRequest; allows: (item: number) => boolean };
  const everything = () => true;
  const seen = (count: number) => (order: number[]) => {
    const exclude = new Set(order.slice(0, count));
    return { request: { exclude }, allows: (item: number) => !exclude.has(item) };
  };
  const cases: [string, number, Ask][] = [
    ['top 10', 10, () => ({ request: {}, allows: everything })],
    ['top 100', 100, () => ({ request: {}, allows: everything })],
    ['top 1000', 1000, () => ({ request: {}, allows: everything })],
    ['100 seen', 100, seen(100)],
    ['1000 seen', 100, seen(1000)],
    [
      'half at random',
      100,
      () => ({ request: { filter: 'draw:<500' }, allows: (item) => (draw[item] as number) < 500 }),
    ],
    ['5 % at random', 100, () => ({ request: { filter: 'draw:<50' }, allows: (item) => (draw[item] as number) < 50 })],
    [
      'not the own group',
      100,
      (order) => {
        const own = group[order[0] as number];
        return { request: { filter: `NOT group:${own}` }, allows: (item) => group[item] !== own };
      },
    ],
  ];
  const recallOf = async (of: RetrievalModel, k: number, ask: Ask) => {
    const shares: number[] = [];
    for (const [q, query] of queries.entries()) {
      const { order, scores } = ranked(given, query);
      const { request, allows } = ask(order, q);
      const truth = order.filter(allows).slice(0, k);
      const { ids } = await of.retrieve({ ...request, embedding: query, k });
      expect(ids.every((id) => allows(id as number))).toBe(true);
      expect(ids.length).toBe(truth.length);
      const least = scores[truth.at(-1) as number] as number;
      shares.push(ids.filter((id) => (scores[id as number] as number) >= least).length / truth.length);
    }
    return shares.reduce((sum, share) => sum + share, 0) / shares.length;
  };

  for (const [name, k, ask] of cases) {
    test(name, async () => {
      expect(await recallOf(model, k, ask)).toBeGreaterThanOrEqual(0.97);
    });
  }

  test('a target is a target: less is looked at for less, all for 1, and what is expected is told', async () => {
    const embedding = queries[0] as Float32Array;
    const looked = async (recall: number) => (await model.retrieve({ embedding, k: 1000, recall })).stats;
    const [low, high, all] = [await looked(0.8), await looked(0.99), await looked(1)];
    expect(low.probedClusters).toBeLessThan(high.probedClusters);
    expect(all.probedClusters).toBe(256);
    expect(high.expectedRecall).toBeGreaterThan(low.expectedRecall as number);
    expect(all.expectedRecall).toBeUndefined();
    await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding, recall: 1.5 }));
    await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding, recall: 0.9, probes: 3 }));
  });

  test('the same answer alone as in a batch', async () => {
    const requests = queries.map((embedding) => ({ embedding, k: 50 }));
    const together = await model.retrieve(requests);
    for (const [i, request] of requests.entries()) expect(await model.retrieve(request)).toEqual(together[i]);
  });

  test('models of before hold one list of shares for lists of every length', async () => {
    const path = folder.path('now.silverlode');
    await model.save(path);
    const device = openDevice({ device: 'cpu', threads: 1 });
    const tensors = await readModelFile(device, path, true);
    const manifest = JSON.parse(Buffer.from(tensors.get('manifest')?.view() as Uint8Array).toString()) as Manifest;
    const shares = (manifest.recall as NonNullable<Manifest['recall']>).open[0]?.[1];
    const before = { ...manifest, recall: { ...manifest.recall, open: shares } };
    const all = new Map([...tensors].filter(([name]) => name !== 'manifest'));
    const old = folder.path('before.silverlode');
    await writeModelFile(device, old, all, new TextEncoder().encode(JSON.stringify(before)));
    device.dispose();
    await using loaded = await RetrievalModel.load(old);
    const [, ...top100] = cases[1] as (typeof cases)[0];
    expect(await recallOf(loaded, ...top100)).toBeGreaterThanOrEqual(0.97);
  });

  test('folding keeps the target, also where new groups came', async () => {
    const other = makeItems(new Random(99), 1500);
    await model.upsert({
      ids: Int32Array.from({ length: 1500 }, (_, i) => items + i),
      embeddings: { data: other, shape: [1500, dims] },
    });
    await model.compact();
    const all = new Float32Array(given.length + other.length);
    all.set(given);
    all.set(other, given.length);
    let share = 0;
    for (let q = 0; q < 10; q++) {
      const query = other.slice(q * dims, (q + 1) * dims);
      const truth = new Set(ranked(all, query).order.slice(0, 100));
      const { ids } = await model.retrieve({ embedding: query, k: 100 });
      share += ids.filter((id) => truth.has(id as number)).length / 1000;
    }
    expect(share).toBeGreaterThanOrEqual(0.97);
  });
});
