// Folding that begins by itself: when, what waits for it, and what is told.
import { publish, RetrievalModel, SilverlodeError } from 'silverlode';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { checkCompaction, FoldSchedule, reasonToFold, type Unfolded } from '../../lib/retrieval/fresh/compaction.js';
import { importLine, runScript } from '../support/child.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const DIMS = 4;
const SEED = 31;

const embedding = (random: Random) => Float32Array.from({ length: DIMS }, () => random.normal());

/** Items by id, as rows. */
function itemsOf(rows: ReadonlyMap<number, Float32Array>, ids: readonly number[] = [...rows.keys()]) {
  const data = new Float32Array(ids.length * DIMS);
  for (const [i, id] of ids.entries()) data.set(rows.get(id) as Float32Array, i * DIMS);
  return { ids: [...ids], embeddings: { data, shape: [ids.length, DIMS] as const } };
}

async function catalogue(items: number, random: Random) {
  const rows = new Map(Array.from({ length: items }, (_, id) => [id, embedding(random)]));
  const file = folder.path(`${items}.silverlode`);
  await using made = await publish({ items: itemsOf(rows), index: { rescore: false } });
  await made.save(file);
  return { rows, file };
}

describe('a model that folds by itself', () => {
  test(`takes new values of all items, twice, in a segment of a fifth of them; seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const { rows, file } = await catalogue(3000, random);
    await using model = await RetrievalModel.load(file, { maxFreshItems: 600 });
    const ids = [...rows.keys()];
    for (let round = 0; round < 2; round++) {
      random.shuffle(ids);
      const updates: Promise<unknown>[] = [];
      for (let first = 0; first < ids.length; first += 250) {
        const some = ids.slice(first, first + 250);
        for (const id of some) rows.set(id, embedding(random));
        updates.push(model.upsert(itemsOf(rows, some)));
        if (random.chance(0.3)) await Promise.all(updates);
      }
      await Promise.all(updates);
    }
    const { freshItems, compaction } = model.freshness();
    expect(compaction).toMatchObject({ automatic: true, failures: 0, reason: 'memory', error: undefined });
    expect(compaction.folds).toBeGreaterThanOrEqual(6000 / 600 - 1);
    expect(compaction.milliseconds).toBeGreaterThan(0);
    expect(freshItems).toBeLessThanOrEqual(600);
    expect(model.items).toBe(3000);
    // Every item is found by itself: its own vector, as new as it was given.
    const asked = ids.slice(0, 50);
    const answers = await model.retrieve(asked.map((id) => ({ embedding: rows.get(id) as Float32Array, k: 3000 })));
    for (const [i, answer] of answers.entries()) {
      if (answer instanceof SilverlodeError) throw answer;
      const own = rows.get(asked[i] as number) as Float32Array;
      const at = answer.ids.indexOf(asked[i] as number);
      expect(answer.ids).toHaveLength(3000);
      const squares = own.reduce((sum, value) => sum + value * value, 0);
      expect(answer.scores[at]).toBeCloseTo(squares, 0);
    }
  });

  test('folds a tenth of changed rows, and not before', async () => {
    const { rows, file } = await catalogue(12_000, new Random(SEED));
    await using model = await RetrievalModel.load(file);
    const change = (first: number, count: number) =>
      model.upsert(itemsOf(rows, [...rows.keys()].slice(first, first + count)));
    await change(0, 500);
    expect(model.freshness()).toMatchObject({ freshItems: 500, compacting: false, compaction: { folds: 0 } });
    await change(500, 200); // 700 fresh rows, and as many whose items were replaced
    await vi.waitFor(() => expect(model.freshness().compaction).toMatchObject({ folds: 1, reason: 'share' }), 60_000);
    expect(model.freshness()).toMatchObject({ freshItems: 0, deletedRows: 0, items: 12_000 });
  });

  test('lets compact() take its place', async () => {
    const { rows, file } = await catalogue(12_000, new Random(SEED));
    await using model = await RetrievalModel.load(file);
    await model.upsert(itemsOf(rows, [...rows.keys()].slice(0, 2000)));
    expect(model.freshness().compacting).toBe(true);
    await model.compact();
    expect(model.freshness()).toMatchObject({ freshItems: 0, compacting: false, compaction: { reason: 'asked' } });
    await expect(Promise.all([model.compact(), model.compact()])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('refuses an update as OVERLOADED once it has waited for long enough, and one that never fits as LIMIT_EXCEEDED', async () => {
    const random = new Random(SEED);
    const { rows, file } = await catalogue(3000, random);
    await using model = await RetrievalModel.load(file, { maxFreshItems: 100, compaction: { waitMs: 0 } });
    const full = itemsOf(rows, [...rows.keys()].slice(0, 100));
    const more = itemsOf(rows, [200, 201]);
    const [taken, refused] = await Promise.allSettled([model.upsert(full), model.upsert(more)]);
    expect(taken).toMatchObject({ status: 'fulfilled', value: { items: 100 } });
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'OVERLOADED', maxFreshItems: 100 } });
    await expectCode('LIMIT_EXCEEDED', () => model.upsert(itemsOf(rows, [...rows.keys()].slice(0, 101))));
    await model.compact();
    expect(await model.upsert(more)).toMatchObject({ items: 2 });
  });

  test('that is disposed keeps nobody waiting', async () => {
    const { rows, file } = await catalogue(3000, new Random(SEED));
    const model = await RetrievalModel.load(file, { maxFreshItems: 100 });
    const updates = Array.from({ length: 20 }, (_, i) =>
      model.upsert(itemsOf(rows, [...rows.keys()].slice(100 * i, 100 * (i + 1)))),
    );
    const settled = Promise.allSettled(updates);
    await updates[0];
    await model.close();
    const results = await settled;
    expect(results[0]?.status).toBe('fulfilled');
    expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'DISPOSED' } });
  });

  test('keeps no process alive', async () => {
    const { file } = await catalogue(3000, new Random(SEED));
    const script = await folder.write(
      'idle.mjs',
      `${importLine('RetrievalModel')}
      const model = await RetrievalModel.load('${file}', { compaction: { freshShare: 1, freshCost: 1e9, idleMs: 2_000_000_000 } });
      const ids = Array.from({ length: 1200 }, (_, id) => id);
      await model.upsert({ ids, embeddings: { data: new Float32Array(1200 * ${DIMS}).fill(1), shape: [1200, ${DIMS}] } });
      console.log(JSON.stringify(model.freshness().compaction));`,
    );
    const { code, output, errors } = runScript(script);
    expect(code, errors).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ automatic: true, folds: 0 });
  });
});

describe('when', () => {
  const state: Unfolded = { items: 100_000, freshRows: 0, deletedRows: 0, maxFreshItems: 65_536, scannedRows: 10_000 };
  const shares = { freshShare: 0.1, freshCost: 1 };

  test.each([
    [{}, undefined],
    [{ freshRows: 1000, items: 1000 }, undefined],
    [{ freshRows: 1100, items: 5000, scannedRows: 1100 }, 'share'],
    [{ freshRows: 5000, deletedRows: 5000 }, undefined],
    [{ freshRows: 5000, deletedRows: 5001 }, 'share'],
    [{ deletedRows: 10_001 }, 'share'],
    [{ freshRows: 5000, scannedRows: 4999 }, 'cost'],
    [{ freshRows: 32_769, items: 10_000_000, scannedRows: 100_000 }, 'memory'],
    [{ freshRows: 2, maxFreshItems: 3 }, 'memory'],
    [{ freshRows: 0, deletedRows: 100_000, items: 0 }, undefined],
  ] as const)('%j: %s', (changes, reason) => expect(reasonToFold({ ...state, ...changes }, shares)).toBe(reason));

  describe('by the clock', () => {
    afterEach(() => void vi.useRealTimers());

    function schedule(fold: () => Promise<void>) {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      const folds: [string, number][] = [];
      const current = { ...state };
      const options = checkCompaction({ idleMs: 1000 }) as Required<NonNullable<ReturnType<typeof checkCompaction>>>;
      const made = new FoldSchedule(
        options,
        () => current,
        (reason) => {
          folds.push([reason, performance.now()]);
          return fold();
        },
      );
      const begin = performance.now();
      return { made, current, folds: () => folds.map(([reason, at]) => [reason, at - begin]) };
    }

    test('what is left is folded after a time without updates', async () => {
      const { made, current, folds } = schedule(async () => void Object.assign(current, { freshRows: 0 }));
      current.freshRows = 2000;
      made.changed();
      await vi.advanceTimersByTimeAsync(900);
      made.changed();
      await vi.advanceTimersByTimeAsync(5000);
      expect(folds()).toEqual([['idle', 1900]]);
    });

    test('a folding rests three times as long as it took, but not where room is scarce', async () => {
      const { made, current, folds } = schedule(() => new Promise((resolve) => setTimeout(resolve, 100)));
      current.freshRows = 20_000;
      made.changed();
      await vi.advanceTimersByTimeAsync(450);
      current.freshRows = 40_000;
      made.changed();
      await vi.advanceTimersByTimeAsync(150);
      expect(folds()).toEqual([
        ['share', 0],
        ['share', 400],
        ['memory', 500],
        ['memory', 600],
      ]);
      made.stop();
    });

    test('one that fails is tried again ever later', async () => {
      const { made, current, folds } = schedule(async () => Promise.reject(new Error('disk')));
      current.freshRows = 40_000;
      made.changed();
      await vi.advanceTimersByTimeAsync(8000);
      expect(folds()).toEqual([0, 1000, 3000, 7000].map((at) => ['memory', at]));
      made.stop();
      await vi.advanceTimersByTimeAsync(1_000_000);
      expect(folds()).toHaveLength(4);
    });
  });

  test.each([
    [{ share: 1 }, /share/],
    [{ freshShare: 0 }, /freshShare/],
    [{ freshCost: Number.NaN }, /freshCost/],
    [{ idleMs: -1 }, /idleMs/],
    [{ waitMs: Number.POSITIVE_INFINITY }, /waitMs/],
    [true, /object or false/],
  ])('%j is refused', async (compaction, message) => {
    const options = { compaction: compaction as never };
    await expect(RetrievalModel.load('none', options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
    const items = { ids: [1], embeddings: { data: new Float32Array(1), shape: [1, 1] as const } };
    await expect(publish({ items, ...options })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
  });
});
