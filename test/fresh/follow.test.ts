import { type LogEntry, publish, RetrievalModel, type SilverlodeError, type Update } from 'silverlode';
import { decodeUpdate, encodeUpdate } from 'silverlode/feed';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, Mirror } from './mirror.js';

const folder = await tempFolder();
const options = { metric: 'ip', biased: false, features: true } as const;
const ids = Array.from({ length: 150 }, (_, id) => id);
const base = folder.path('base.silverlode');
const random = new Random(11);
const mirror = new Mirror(options);
const updates: Update[] = [];

beforeAll(async () => {
  mirror.apply(mirror.upsert(random, ids.slice(0, 60)));
  await using model = await publish({ items: mirror.published() });
  await model.save(base);
  for (let i = 0; i < 500; i++) {
    updates.push(mirror.randomUpdate(random, ids));
    mirror.apply(updates[i] as Update);
  }
});

/** The log after a position; positions are objects, to show that any JSON value will do. */
const log = (entries: readonly Update[] = updates) =>
  async function* (after: unknown): AsyncGenerator<LogEntry> {
    for (let i = (after as { next: number } | undefined)?.next ?? 0; i < entries.length; i++) {
      yield { position: { next: i + 1 }, update: entries[i] as Update };
    }
  };

const all = async (model: RetrievalModel) => (await model.retrieve({ embedding: new Float32Array(DIMS), k: 1000 })).ids;

describe('following a log', () => {
  test('loading and following gives the state of an uninterrupted run', async () => {
    const query = { embedding: Float32Array.from({ length: DIMS }, () => random.normal()), k: 1000 };
    await using model = await RetrievalModel.load(base);
    await model.follow(log());
    expect(await all(model)).toEqual(mirror.ids);
    const expected = await model.retrieve(query);
    for (const cut of [0, 1, 250, 499, 500]) {
      const path = folder.path(`cut-${cut}.silverlode`);
      await using first = await RetrievalModel.load(base);
      await first.follow(log(updates.slice(0, cut)));
      if (cut === 250) await first.compact();
      await first.save(path);
      await using second = await RetrievalModel.load(path);
      expect(second.freshness().position).toEqual(cut === 0 ? undefined : { next: cut });
      await second.follow(log());
      const found = await second.retrieve(query);
      expect({ ids: found.ids, scores: found.scores }).toEqual({ ids: expected.ids, scores: expected.scores });
    }
  });

  test('a journal beside a log keeps the position too', async () => {
    const journal = folder.path('journal');
    for (const cut of [100, 300, 500]) {
      await using model = await RetrievalModel.load(base, { journal });
      await model.follow(log(updates.slice(0, cut)));
      expect(model.freshness()).toMatchObject({ position: { next: cut }, journal: cut });
    }
    await using model = await RetrievalModel.load(base, { journal });
    expect(await all(model)).toEqual(mirror.ids);
  });

  test('a refused update is told and passed', async () => {
    const bad: Update[] = [
      { type: 'updateFeatures', ids: [9999], features: { data: new Float32Array(2), shape: [1, 2] } },
      null as never,
    ];
    const mixed = [...updates.slice(0, 20), ...bad, ...updates.slice(20)];
    const refused: unknown[] = [];
    await using model = await RetrievalModel.load(base);
    await model.follow(log(mixed), {
      onRefused: ({ code }: SilverlodeError, { position }) => refused.push([code, position]),
    });
    expect(refused).toEqual([
      ['INVALID_ARGUMENT', { next: 21 }],
      ['INVALID_ARGUMENT', { next: 22 }],
    ]);
    expect(model.freshness().position).toEqual({ next: mixed.length });
    expect(await all(model)).toEqual(mirror.ids);
  });

  test('an update for which there is no room stops it, and it can go on after compact()', async () => {
    await using model = await RetrievalModel.load(base, { maxFreshItems: 30, compaction: false });
    let stops = 0;
    for (;;) {
      const error = await model.follow(log()).catch((thrown: SilverlodeError) => thrown.code);
      if (error === undefined) break;
      expect(error).toBe('LIMIT_EXCEEDED');
      stops++;
      await model.compact();
    }
    expect(stops).toBeGreaterThan(1);
    expect(await all(model)).toEqual(mirror.ids);
  });

  test('ends at once when the signal fires, also while the log waits', async () => {
    await using model = await RetrievalModel.load(base);
    const stop = new AbortController();
    async function* endless(): AsyncGenerator<LogEntry> {
      yield { position: 1, update: updates[0] as Update };
      await new Promise(() => undefined);
    }
    const following = expectCode('ABORTED', () => model.follow(endless(), { signal: stop.signal }));
    while (model.freshness().position !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    await following;
    await expectCode('ABORTED', () => model.follow(endless(), { signal: stop.signal }));
    async function* broken(): AsyncGenerator<LogEntry> {
      yield { position: 2, update: updates[1] as Update };
      throw new Error('the log broke');
    }
    await expect(model.follow(broken())).rejects.toThrow('the log broke');
    expect(model.freshness().position).toBe(2);
    const closed = expectCode('DISPOSED', () => model.follow(endless()));
    await model.close();
    await closed;
  });
});

describe('updates as JSON', () => {
  test('come back as they were', () => {
    for (const update of updates) {
      const decoded = decodeUpdate(encodeUpdate(update));
      const plain = (each: unknown) => JSON.parse(JSON.stringify(each, numbers));
      expect(plain(decoded)).toEqual(plain(update));
    }
    const big: Update = { type: 'delete', ids: [1n, -(2n ** 63n)] };
    expect(decodeUpdate(encodeUpdate(big), { ids: 'bigint' })).toEqual(big);
    const wide = { seller: [2n ** 53n + 1n, 7n], lists: [[1n, -(2n ** 63n)], null], text: ['9007199254740993', 'x'] };
    const update: Update = { type: 'updateAttributes', ids: [1, 2], attributes: wide };
    expect(decodeUpdate(encodeUpdate(update))).toEqual(update);
  });

  test('anything else is refused', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (const text of ['', '{', 'null', '[]', '{"ids": 1}', '{"type": "upsert", "ids": [1], "embeddings": [1]}'])
      await expectCode('INVALID_ARGUMENT', () => decodeUpdate(bytes(text)));
    await expectCode('SHAPE_MISMATCH', () => decodeUpdate(bytes('{"ids": [1, 2], "embeddings": [[1], [1, 2]]}')));
    await expectCode('INVALID_ARGUMENT', () => decodeUpdate(bytes('{"ids": [1]}'), { ids: 'bigint' }));
    await expectCode('INVALID_ARGUMENT', () => decodeUpdate(Uint8Array.of(0xff)));
  });

  const numbers = (_: string, value: unknown) => {
    if (ArrayBuffer.isView(value)) return [...(value as Float32Array)];
    return typeof value === 'bigint' ? String(value) : typeof value === 'number' ? String(value) : value;
  };
});
