import { nn, RetrievalModel, type TuneOptions, type TuneResult } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const folder = await tempFolder();
const [items, dims, count, k] = [3000, 16, 24, 10];
const random = new Random(31);
const data = randomVectors(random, items, dims);
const given = {
  items: { ids: Array.from({ length: items }, (_, i) => i), embeddings: { data, shape: [items, dims] as const } },
  index: { clusters: 48, probes: 2 },
};

/** Mean share of the final lists of `wide` that requests with this setting find: one request at a time. */
async function overlap(
  model: RetrievalModel,
  { data, shape }: TuneOptions['queries'],
  setting: { probes: number; candidates?: number },
  wide: { probes: number; candidates?: number },
): Promise<number> {
  const width = shape[1] as number;
  let sum = 0;
  for (let q = 0; q < (shape[0] as number); q++) {
    const own = data.slice(q * width, (q + 1) * width);
    const embedding = Array.from({ length: width / dims }, (_, h) => own.slice(h * dims, (h + 1) * dims));
    const truth = await model.retrieve({ embedding, k, ...wide });
    const found = new Set((await model.retrieve({ embedding, k, ...setting })).ids);
    sum += truth.ids.filter((id) => found.has(id)).length / truth.ids.length;
  }
  return sum / (shape[0] as number);
}

describe.each([1, 2])('tuning a model that reranks %i head(s)', async (heads) => {
  const rerank = new nn.OverArch({ dims, heads, hidden: [24], tasks: ['click'] });
  const queries = { data: randomVectors(random, count, heads * dims), shape: [count, heads * dims] as const };
  const recall = 0.9;
  const path = folder.path(`tuned_${heads}.silverlode`);
  await using model = await publish({ ...given, rerank, value: 'score + click' });
  const before = model.describe();
  const stages = new Set<string>();
  const tuned = await model.tune({ queries, recall, k, onProgress: ({ stage }) => stages.add(stage) });
  await model.save(path);
  const [probes, candidates] = [tuned.probes, tuned.candidates as number];
  const wide = { probes: 48, candidates: items };
  const checks: [string, number, number][] = [
    ['as tuned', tuned.recall, await overlap(model, queries, { probes, candidates }, wide)],
  ];
  for (const { recall: told, ...setting } of tuned.tried)
    checks.push([JSON.stringify(setting), told, await overlap(model, queries, setting, wide)]);

  test('tells the overlap that requests have, for every setting', () => {
    for (const [, told, measured] of checks) expect(told).toBeCloseTo(measured, 10);
    expect(tuned.recall).toBeGreaterThanOrEqual(recall);
    expect([...stages]).toEqual(expect.arrayContaining(['reference', 'candidates', 'probes']));
  });

  test('takes the least candidates that lose half of what may be lost, then the least probes', () => {
    const reaching = (steps: TuneResult['tried'], least: number) => steps.filter(({ recall }) => recall >= least);
    const wholeSearch = tuned.tried.filter((step) => step.probes === 48);
    const enough = reaching(wholeSearch, (1 + recall) / 2).map((step) => step.candidates as number);
    expect(candidates).toBe(Math.min(...enough));
    expect(candidates).toBeLessThan(items);
    const chosen = tuned.tried.filter((step) => step.candidates === candidates);
    expect(probes).toBe(Math.min(...reaching(chosen, recall).map((step) => step.probes)));
  });

  test('both become defaults, shown everywhere and kept in the file', async () => {
    expect(before).toMatchObject({ probes: 2, candidates: 1000 });
    await using loaded = await RetrievalModel.load(path);
    expect(loaded.describe()).toMatchObject({ probes, candidates });
    const embedding = Array.from({ length: heads }, (_, h) => queries.data.slice(h * dims, (h + 1) * dims));
    expect(await loaded.explain({ embedding, k: 1 })).toMatchObject({ probes, candidates });
    const plain = await loaded.retrieve({ embedding, k });
    expect(plain).toEqual(await loaded.retrieve({ embedding, k, probes, candidates }));
    expect(plain.stats.candidates).toBe(candidates);
    const many = await loaded.explain({ embedding, k: candidates + 5 });
    expect(many.candidates).toBe(candidates + 5);
  });
});

describe('tuning', async () => {
  const queries = { data: randomVectors(random, count, dims), shape: [count, dims] as const };

  test('leaves candidates alone where nothing is reranked, or when asked to', async () => {
    await using plain = await publish(given);
    expect(plain.describe().candidates).toBe(null);
    const tuned = await plain.tune({ queries, recall: 0.8, k });
    expect(tuned).not.toHaveProperty('candidates');
    expect(plain.describe().candidates).toBe(null);
    await using valued = await publish({ ...given, value: '0 - score' });
    const kept = await valued.tune({ queries, recall: 0.8, k, candidates: false });
    expect(kept).not.toHaveProperty('candidates');
    expect(valued.describe().candidates).toBe(1000);
  });

  test('compares with no more candidates than asked for', async () => {
    await using valued = await publish({ ...given, value: '0 - score' });
    const tuned = await valued.tune({ queries, recall: 1, k, maxCandidates: 200 });
    // The lists are the worst of the candidates, so that all are needed.
    expect(tuned).toMatchObject({ candidates: 200, recall: 1 });
    for (const step of tuned.tried) expect(step.candidates).toBeLessThanOrEqual(200);
  });

  test('publishes a model of several heads without queries of its own', async () => {
    const rerank = new nn.OverArch({ dims, heads: 2, hidden: [8], tasks: ['click'] });
    await using model = await publish({ ...given, index: { clusters: 24 }, rerank });
    expect(model.describe().probes).toBeLessThanOrEqual(24);
  });

  test('refuses bad options, stops when asked, and then keeps what it has', async () => {
    await using model = await publish({ ...given, value: 'score' });
    for (const bad of [{ recall: 0 }, { k: 0.5 }, { maxCandidates: 0 }, { candidates: 3 as unknown as boolean }])
      await expectCode('INVALID_ARGUMENT', () => model.tune({ queries, ...bad }));
    const shape = [3, dims] as const;
    await expectCode('SHAPE_MISMATCH', () => model.tune({ queries: { data: queries.data, shape } }));
    const before = model.describe();
    const stop = new AbortController();
    const onProgress = ({ stage }: { stage: string }) => stage === 'candidates' && stop.abort();
    await expectCode('ABORTED', () => model.tune({ queries, k, signal: stop.signal, onProgress }));
    expect(model.describe()).toEqual(before);
  });
});
