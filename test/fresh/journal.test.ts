import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { publish, RetrievalModel, type Update } from 'silverlode';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode, property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { Mirror } from './mirror.js';
import { expectMirrored, randomQuery, toRequest } from './queries.js';

const folder = await tempFolder();
const options = { metric: 'ip', biased: false, features: true } as const;
const ids = Array.from({ length: 200 }, (_, id) => id);
const FIELDS = new Set(['language', 'tags', 'flag', 'year']);
const base = folder.path('base.silverlode');
const random = new Random(5);
const updates: Update[] = [];
/** The catalogue after the first n updates. */
const mirrors: Mirror[] = [];

function mirrored(count: number): Mirror {
  const mirror = new Mirror(options);
  mirror.apply(start);
  for (const update of updates.slice(0, count)) mirror.apply(update);
  return mirror;
}

const start = new Mirror(options).upsert(random, ids.slice(0, 80));

beforeAll(async () => {
  const mirror = mirrored(0);
  for (let i = 0; i < 60; i++) {
    updates.push(mirror.randomUpdate(random, ids));
    mirror.apply(updates[i] as Update);
  }
  mirrors.push(mirrored(0));
  await using model = await publish({ items: mirrors[0]?.published() as never });
  await model.save(base);
});

async function expectState(model: RetrievalModel, count: number): Promise<void> {
  const mirror = mirrored(count);
  const all = await model.retrieve({ embedding: new Float32Array(9), k: 1000 });
  expect(all.ids).toEqual(mirror.ids);
  for (let i = 0; i < 3; i++) {
    const query = randomQuery(random, ids, FIELDS);
    expectMirrored(await model.retrieve(toRequest(query)), mirror, query);
  }
}

async function filled(name: string, count: number): Promise<string> {
  const journal = folder.path(name);
  await using model = await RetrievalModel.load(base, { journal, fsync: 'interval' });
  for (const update of updates.slice(0, count)) await model.apply(update);
  return journal;
}

describe('a journal', () => {
  for (const fsync of ['always', 'interval', 'never'] as const) {
    test(`brings updates back in a new process, fsync ${fsync}`, async () => {
      const journal = folder.path(`policy-${fsync}`);
      for (let count = 0; count < 60; count += 20) {
        await using model = await RetrievalModel.load(base, { journal, fsync });
        expect(model.freshness().journal).toBe(count);
        await expectState(model, count);
        await Promise.all(updates.slice(count, count + 20).map((update) => model.apply(update)));
      }
    });
  }

  test('a saved model knows which records it holds, also after compaction', async () => {
    const journal = folder.path('saved');
    const saved = folder.path('saved.silverlode');
    await using model = await RetrievalModel.load(base, { journal });
    for (const update of updates.slice(0, 30)) await model.apply(update);
    await model.compact();
    for (const update of updates.slice(30, 40)) await model.apply(update);
    await model.save(saved);
    for (const update of updates.slice(40)) await model.apply(update);
    await model.close();
    for (const path of [base, saved]) {
      await using again = await RetrievalModel.load(path, { journal });
      await expectState(again, 60);
    }
    await using plain = await RetrievalModel.load(saved);
    await expectState(plain, 40);
  });

  test('is trimmed on request; an older model is refused then', async () => {
    const journal = folder.path('trimmed');
    const saved = folder.path('trimmed.silverlode');
    await using model = await RetrievalModel.load(base, { journal });
    for (const update of updates.slice(0, 30)) await model.apply(update);
    const before = (await stat(journal)).size;
    await model.save(saved, { trimJournal: true });
    expect((await stat(journal)).size).toBeLessThan(before);
    for (const update of updates.slice(30)) await model.apply(update);
    await model.close();
    await expectCode('CORRUPT_FILE', () => RetrievalModel.load(base, { journal }));
    await using again = await RetrievalModel.load(saved, { journal });
    await expectState(again, 60);
  });

  test('belongs to one model at a time, after trimming too', async () => {
    const journal = folder.path('locked');
    const saved = folder.path('locked.silverlode');
    await using model = await RetrievalModel.load(base, { journal });
    await expectCode('IO_ERROR', () => RetrievalModel.load(base, { journal }));
    await model.apply(updates[0] as Update);
    await model.save(saved, { trimJournal: true });
    await expect(RetrievalModel.load(saved, { journal })).rejects.toThrow(/locked: the journal is in use/);
    await model.close();
    await using again = await RetrievalModel.load(saved, { journal });
    await expectState(again, 1);
  });

  test('refused updates are not in it', async () => {
    const journal = folder.path('refused');
    await using model = await RetrievalModel.load(base, { journal });
    await expectCode('INVALID_ARGUMENT', () => model.updateFeatures([12345], { price: [1] }));
    expect(model.freshness().journal).toBe(0);
  });

  test('does not care for the clock', async () => {
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => random.integer(2 ** 41));
    try {
      await using model = await RetrievalModel.load(base, { journal: await filled('clock', 60) });
      await expectState(model, 60);
    } finally {
      clock.mockRestore();
    }
  });
});

describe('damage', () => {
  property('a torn end is cut off at the last whole record', 3, async (random) => {
    const bytes = await readFile(await filled(`torn-${random.integer(2 ** 30)}`, 20));
    for (let i = 0; i < 8; i++) {
      const length = 16 + random.integer(bytes.length - 15);
      const torn = folder.path('torn');
      await writeFile(torn, bytes.subarray(0, length));
      await using model = await RetrievalModel.load(base, { journal: torn });
      const count = model.freshness().journal as number;
      await expectState(model, count);
      for (const update of updates.slice(count)) await model.apply(update);
      await model.close();
      await using again = await RetrievalModel.load(base, { journal: torn });
      await expectState(again, 60);
    }
  });

  property('flipped bits lose nothing silently but the last record', 3, async (random) => {
    const bytes = await readFile(await filled(`flipped-${random.integer(2 ** 30)}`, 20));
    const path = folder.path('flipped');
    for (let i = 0; i < 30; i++) {
      const flipped = Buffer.from(bytes);
      const at = random.integer(flipped.length);
      flipped[at] = (flipped[at] as number) ^ (1 << random.integer(8));
      await writeFile(path, flipped);
      const model = await RetrievalModel.load(base, { journal: path }).catch((error: { code: string }) => error.code);
      if (typeof model === 'string') {
        expect(model).toBe('CORRUPT_FILE');
        continue;
      }
      const count = model.freshness().journal as number;
      expect(count).toBeGreaterThanOrEqual(19);
      await expectState(model, count);
      await model.close();
    }
  });

  test('files that are no journal of this model are refused and left alone', async () => {
    const other = folder.path('other');
    await writeFile(other, 'this is some other file, longer than a header');
    await expectCode('CORRUPT_FILE', () => RetrievalModel.load(base, { journal: other }));
    expect(await readFile(other, 'utf8')).toContain('some other file');
    await expectCode('IO_ERROR', () => RetrievalModel.load(base, { journal: folder.path('no/such/folder') }));
    await expectCode('INVALID_ARGUMENT', () => RetrievalModel.load(base, { journal: '' }));
    await expectCode('INVALID_ARGUMENT', () => RetrievalModel.load(base, { fsync: 'sometimes' as never }));
    // A model that holds more records than the journal: that of an older time.
    const journal = await filled('ahead', 30);
    const early = folder.path('early');
    await copyFile(await filled('early-source', 10), early);
    const saved = folder.path('ahead.silverlode');
    await using model = await RetrievalModel.load(base, { journal });
    await model.save(saved);
    await expectCode('CORRUPT_FILE', () => RetrievalModel.load(saved, { journal: early }));
  });
});
