// Updates, requests, saving and compaction together, against brute force: no wrong answer, flat memory.
import { publish, RetrievalModel } from 'silverlode';
import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { tempFolder } from '../support/temp_folder.js';
import { Mirror } from './mirror.js';
import { checkQueries } from './queries.js';

const folder = await tempFolder();
const ROUNDS = 100;
const UPDATES_PER_ROUND = 30;
const seed = Date.now() % 1_000_000;

test(`a soak of ${ROUNDS * UPDATES_PER_ROUND} updates (seed ${seed})`, async () => {
  const random = new Random(seed);
  const options = { metric: 'ip', biased: false, features: true } as const;
  const mirror = new Mirror(options);
  const ids = Array.from({ length: 3000 }, (_, id) => id);
  mirror.apply(mirror.upsert(random, ids.slice(0, 1500)));
  const journal = folder.path('journal');
  const path = folder.path('model.silverlode');
  {
    await using model = await publish({ items: mirror.published(), index: { clusters: 10, rotate: false } });
    await model.save(path);
  }
  let model = await RetrievalModel.load(path, { journal, fsync: 'interval', maxFreshItems: 2000 });
  const fields = new Set(['language', 'tags', 'flag', 'year', 'codes', 'rating']);
  const background = new Set<Promise<unknown>>();
  const begin = (work: Promise<unknown>) => {
    const done = work.finally(() => background.delete(done));
    background.add(done);
  };
  let asked = 0;
  let reloads = 0;
  const resident: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const updates = Array.from({ length: UPDATES_PER_ROUND }, () => {
      const update = mirror.randomUpdate(random, ids);
      mirror.apply(update);
      return update;
    });
    const applied = Promise.all(updates.map((update) => model.apply(update)));
    // Requests beside the updates see some version; those after them see this one.
    const meanwhile = model.retrieve({ embedding: new Float32Array(9).fill(1), k: 10, filter: 'flag:true' });
    await applied;
    await meanwhile;
    for (let i = 0; i < 3; i++) await checkQueries(model, mirror, random, ids, fields);
    asked += 10;
    if (round % 10 === 4 && !model.freshness().compacting) begin(model.compact());
    if (round % 15 === 7) begin(model.save(path, { trimJournal: true }));
    if (round % 40 === 39) {
      await Promise.all(background);
      await model.close();
      model = await RetrievalModel.load(path, { journal, fsync: 'interval', maxFreshItems: 2000 });
      await checkQueries(model, mirror, random, ids, fields);
      reloads++;
    }
    if (round % 25 === 24) {
      globalThis.gc?.();
      resident.push(Math.round(process.memoryUsage().rss / 2 ** 20));
    }
  }
  await Promise.all(background);
  const { freshBytes, items } = model.freshness();
  console.log(
    `seed ${seed}: ${ROUNDS * UPDATES_PER_ROUND} updates, ${asked} requests, ${reloads} reloads, ${items} items, ` +
      `${Math.round(freshBytes / 1024)} KiB fresh, resident MiB ${resident.join(' ')}`,
  );
  expect(items).toBe(mirror.items.size);
  // The first samples hold what the process needs anyway; without collection on demand some slack is fair.
  expect(resident.at(-1)).toBeLessThan((resident[1] as number) * 1.5 + 100);
  await model.close();
});
