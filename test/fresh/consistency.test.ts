// Requests beside updates: every answer is one version of the catalogue, and never an older one than was acknowledged.
import { publish } from 'silverlode';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

const ITEMS = 300;
const LEADER = 1_000_000;

test('a request sees one version from its first to its last stage, features written in place among them', async () => {
  await using model = await publish({
    items: {
      ids: Array.from({ length: ITEMS }, (_, i) => i),
      embeddings: { data: new Float32Array(2 * ITEMS).fill(1), shape: [ITEMS, 2] },
      attributes: { step: new Int32Array(ITEMS) },
      features: { data: new Float32Array(ITEMS), shape: [ITEMS, 1], names: ['step'] },
    },
    value: 'step',
  });
  const ids = Array.from({ length: ITEMS }, (_, i) => i);
  const leader = (step: number) => ({
    ids: [LEADER],
    embeddings: { data: Float32Array.of(1, 1), shape: [1, 2] },
    attributes: { step: [step] },
    features: { data: Float32Array.of(step), shape: [1, 1] },
  });
  await model.upsert(leader(0));
  // Half of the items move to the fresh segment, so that both kinds of features change in one update.
  await model.updateAttributes(ids.slice(0, ITEMS / 2), { half: ids.slice(0, ITEMS / 2).map(() => true) });

  let acknowledged = 0;
  let running = true;
  let answers = 0;
  const ask = async () => {
    let last = 0;
    while (running) {
      const least = acknowledged;
      const { ids: found, scores } = await model.retrieve({
        embedding: Float32Array.of(1, 1),
        k: 1000,
        candidates: 1000,
      });
      const lead = scores[found.indexOf(LEADER)] as number;
      const others = new Set(scores.filter((_, i) => found[i] !== LEADER));
      expect(found).toHaveLength(ITEMS + 1);
      expect(others.size).toBe(1);
      const [step] = others as Set<number>;
      // The leader goes first, the others follow in the next update.
      expect([step, (step as number) + 1]).toContain(lead);
      expect(step).toBeGreaterThanOrEqual(Math.max(last, least));
      last = step as number;
      answers++;
    }
  };
  const asking = [ask(), ask(), ask()];
  for (let step = 1; step <= 150; step++) {
    await model.upsert(leader(step));
    await model.updateFeatures(ids, { step: ids.map(() => step) });
    acknowledged = step;
    if (step % 50 === 0) await model.compact();
  }
  running = false;
  await Promise.all(asking);
  expect(answers).toBeGreaterThan(50);
  expect(model.freshness()).toMatchObject({ items: ITEMS + 1 });
});

test('updates during a compaction are kept, deletes are exact at once', async () => {
  const ids = Array.from({ length: 5000 }, (_, i) => i);
  await using model = await publish({
    items: { ids, embeddings: { data: new Float32Array(2 * ids.length).fill(1), shape: [ids.length, 2] } },
    index: { clusters: 20 },
  });
  const all = () => model.retrieve({ embedding: Float32Array.of(1, 1), k: 10_000, probes: 20 });
  const left = new Set(ids);
  for (let round = 0; round < 3; round++) {
    const compacting = model.compact();
    let overlapped = 0;
    while (model.freshness().compacting) {
      const batch = [...left].slice(0, 10);
      const added = 10_000 + round * 1000 + overlapped++;
      const embeddings = { data: Float32Array.of(1, 1), shape: [1, 2] };
      await Promise.all([model.delete(batch), model.upsert({ ids: [added], embeddings })]);
      for (const id of batch) left.delete(id);
      left.add(added);
      expect(new Set((await all()).ids)).toEqual(left);
    }
    await compacting;
    expect(overlapped).toBeGreaterThan(0);
    expect((await all()).ids).toEqual([...left]);
  }
});

test('saving and folding get their turn among updates without end', async () => {
  await using model = await publish({
    items: { ids: [0], embeddings: { data: Float32Array.of(1, 1), shape: [1, 2] } },
  });
  let running = true;
  let updates = 0;
  const update = async () => {
    while (running) {
      await model.upsert({ ids: [++updates % 100], embeddings: { data: Float32Array.of(1, 1), shape: [1, 2] } });
    }
  };
  const updating = Array.from({ length: 20 }, update);
  await model.save(folder.path('busy.silverlode'));
  await model.compact();
  running = false;
  await Promise.all(updating);
  expect(updates).toBeGreaterThan(20);
  expect(model.items).toBe(Math.min(100, updates + 1));
});
