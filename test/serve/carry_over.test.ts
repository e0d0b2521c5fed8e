// What a version that takes over holds: every update that the one before has accepted, or it does not take over.
import { copyFile, mkdir, readdir, rename } from 'node:fs/promises';
import { RetrievalModel } from 'silverlode';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HubOptions, ModelHub, watchDirectory } from '../../lib/serve/index.js';
import { tempFolder } from '../support/temp_folder.js';
import { outcome } from './fake_model.js';
import { queryVector, writeModel } from './models.js';
import { serve } from './service.js';

const { path } = await tempFolder();
const embedding = queryVector();
const best = { data: embedding.map((x) => 10 * x), shape: [1, 8] as const };
const hubs: ModelHub[] = [];
let folders = 0;

beforeAll(async () => {
  for (const n of [1, 2, 3]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
});
afterEach(() => Promise.all(hubs.splice(0).map((hub) => hub.close())));

function newHub(options: HubOptions = {}): ModelHub {
  const hub = new ModelHub(options);
  hubs.push(hub);
  return hub;
}
const journalFolder = () => path(`journals-${folders++}`);
const model = (hub: ModelHub) => hub.current('books')?.model as RetrievalModel;
const put = (hub: ModelHub, id: number) =>
  hub.change('books', 'upsert', ({ model }) => (model as RetrievalModel).upsert({ ids: [id], embeddings: best }));
/** Ids that came by updates. */
async function added(hub: ModelHub): Promise<number[]> {
  const { ids } = await hub.retrieve('books', { embedding, k: 400 });
  return (ids as number[]).filter((id) => id >= 9000).sort();
}
/** The hundreds of the version that answers. */
const origin = async (hub: ModelHub) => {
  const { ids } = await hub.retrieve('books', { embedding, k: 400 });
  return Math.floor(((ids as number[]).find((id) => id < 9000) as number) / 1000);
};

describe('with a journal', () => {
  test('updates go over to a new version, under load, and to one that is rolled back to', async () => {
    const folder = journalFolder();
    await mkdir(folder);
    const hub = newHub({ journal: { folder } });
    await hub.load('books', path('v1.silverlode'));
    expect(await put(hub, 9000)).toMatchObject({ durable: true });
    let going = true;
    let next = 9001;
    const client = (async () => {
      while (going) await put(hub, next++);
    })();
    for (const n of [2, 3]) await hub.load('books', path(`v${n}.silverlode`));
    await hub.rollback('books', 2);
    going = false;
    await client;
    expect(await origin(hub)).toBe(2);
    expect(await added(hub)).toEqual(Array.from({ length: next - 9000 }, (_, i) => 9000 + i));
    await hub.close();

    const again = newHub({ journal: { folder } });
    await again.load('books', path('v3.silverlode'));
    expect(await added(again)).toHaveLength(next - 9000);
    expect((await readdir(folder))[0]).toBe('books.journal');
  });

  test('a version whose journal records are gone is refused, and the one before goes on taking updates', async () => {
    const folder = journalFolder();
    await mkdir(folder);
    await copyFile(path('v1.silverlode'), path('trimmed.silverlode'));
    const hub = newHub({ journal: { folder } });
    await hub.load('books', path('trimmed.silverlode'));
    await put(hub, 9000);
    await hub.save('books', { trimJournal: true });
    await put(hub, 9001);
    expect(await outcome(hub.load('books', path('v2.silverlode')))).toBe('CORRUPT_FILE');
    await put(hub, 9002);
    expect(await added(hub)).toEqual([9000, 9001, 9002]);
    await hub.close();
    const again = newHub({ journal: { folder } });
    await again.load('books', path('trimmed.silverlode'));
    expect(await added(again)).toEqual([9000, 9001, 9002]);
  });

  test('a model that is held on to takes no updates after its version is gone', async () => {
    const folder = journalFolder();
    await mkdir(folder);
    const hub = newHub({ journal: { folder } });
    await hub.load('books', path('v1.silverlode'));
    const old = model(hub);
    await hub.load('books', path('v2.silverlode'));
    expect(await outcome(old.upsert({ ids: [9000], embeddings: best }))).toBe('DISPOSED');
  });

  test('a file that fails to load leaves the journal where it is', async () => {
    const folder = journalFolder();
    await mkdir(folder);
    let isBroken = false;
    const open: HubOptions['open'] = async (file, options) => {
      const loaded = await RetrievalModel.load(file, options);
      if (isBroken) Object.assign(loaded, { retrieve: () => Promise.reject(new Error('broken')) });
      return loaded;
    };
    const hub = newHub({ journal: { folder }, open });
    await hub.load('books', path('v1.silverlode'));
    await put(hub, 9000);
    isBroken = true;
    expect(await outcome(hub.load('books', path('v2.silverlode')))).toBe('INTERNAL');
    await put(hub, 9001);
    isBroken = false;
    await hub.load('books', path('v2.silverlode'));
    expect(await added(hub)).toEqual([9000, 9001]);
  });
});

describe('without a journal', () => {
  test('a version that would lose updates is refused, and told why', async () => {
    const hub = newHub();
    await hub.load('books', path('v1.silverlode'));
    expect(await put(hub, 9000)).toMatchObject({ durable: false });
    const refused = { code: 'INVALID_ARGUMENT', updates: 1, message: expect.stringContaining('in no journal') };
    await expect(hub.load('books', path('v2.silverlode'))).rejects.toMatchObject(refused);
    expect(await added(hub)).toEqual([9000]);
    await hub.load('books', path('v2.silverlode'), { discardUpdates: true });
    expect([await added(hub), await origin(hub)]).toEqual([[], 2]);
    await put(hub, 9001);
    await expect(hub.rollback('books', 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', updates: 1 });
    expect(await hub.rollback('books', 1, { discardUpdates: true })).toMatchObject({ version: 1 });
  });

  test('a file that was saved from the version holds them, until the next update', async () => {
    const hub = newHub();
    await copyFile(path('v1.silverlode'), path('saved.silverlode'));
    await hub.load('books', path('saved.silverlode'));
    await put(hub, 9000);
    await hub.save('books');
    await hub.load('books', path('saved.silverlode'));
    expect(await added(hub)).toEqual([9000]);
    await put(hub, 9001);
    await hub.save('books');
    await put(hub, 9002);
    expect(await outcome(hub.load('books', path('saved.silverlode')))).toBe('INVALID_ARGUMENT');
    expect(await outcome(hub.save('none'))).toBe('INVALID_ARGUMENT');
  });

  test('a version that stands before the one that serves, in the log that both follow, is refused', async () => {
    const entry = (position: number) => ({
      position,
      update: { type: 'upsert' as const, ids: [9000 + position], embeddings: best },
    });
    const upTo = (end: number) => (after: unknown) =>
      (async function* () {
        for (let i = ((after as number | undefined) ?? 0) + 1; i <= end; i++) yield entry(i);
      })();
    let end = 3;
    const hub = newHub({ prepare: (_, loaded) => (loaded as RetrievalModel).follow(upTo(end)) });
    await hub.load('books', path('v1.silverlode'));
    end = 2;
    await expect(hub.load('books', path('v2.silverlode'))).rejects.toThrow(
      /stands at 2 of its log, the one that serves at 3/,
    );
    end = 4;
    await hub.load('books', path('v2.silverlode'));
    expect([await added(hub), await origin(hub)]).toEqual([[9001, 9002, 9003, 9004], 2]);
  });
});

test('a hub follows logs: to the point it must reach before it serves, and from then on', async () => {
  let wake = (): void => undefined;
  let length = 3;
  const log = (after: unknown) =>
    (async function* () {
      for (let i = (after as number | undefined) ?? 0; ; i++) {
        while (i >= length)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        if (i === 5) throw new Error('the log is broken');
        yield { position: i + 1, update: { type: 'upsert' as const, ids: [9000 + i], embeddings: best } };
      }
    })();
  const unfollowed: string[] = [];
  const isReached = (position: unknown) => (position as number) >= 3;
  const hub = newHub({ follow: async () => ({ log, isReached }) });
  hub.on('unfollowed', (name, { message }) => unfollowed.push(`${name}: ${message}`));
  await hub.load('books', path('v1.silverlode'));
  expect(await added(hub)).toEqual([9000, 9001, 9002]);
  const grow = async (to: number, until: () => Promise<boolean>) => {
    length = to;
    while (!(await until())) {
      wake();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await grow(4, async () => (await added(hub)).includes(9003));
  await hub.load('books', path('v2.silverlode'));
  expect([(await added(hub)).length >= 3, await origin(hub), unfollowed]).toEqual([true, 2, []]);
  await grow(6, async () => unfollowed.length > 0);
  expect(unfollowed).toEqual(['books: the log is broken']);
  expect(await added(hub)).toEqual([9000, 9001, 9002, 9003, 9004]);
});

test('a watched file that was saved from the service is not loaded again', async () => {
  const folder = path('watched');
  await mkdir(folder);
  await copyFile(path('v1.silverlode'), `${folder}/books.silverlode`);
  const hub = newHub();
  const stop = new AbortController();
  const watching = hub.watch(watchDirectory(folder, { signal: stop.signal, intervalMs: 5 }));
  while (hub.names.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await put(hub, 9000);
  await hub.save('books');
  await copyFile(path('v2.silverlode'), `${folder}/films.silverlode`); // seen later than what was saved
  while (hub.names.length === 1) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(hub.versions('books')).toHaveLength(1);
  stop.abort();
  await watching;
});

test('folding and saving over HTTP', async () => {
  const hub = newHub();
  await copyFile(path('v1.silverlode'), path('http.silverlode'));
  await hub.load('books', path('http.silverlode'));
  await put(hub, 9000);
  const { app } = await serve({}, {}, hub);
  const post = (what: string, payload?: object) =>
    app.inject({ method: 'POST', url: `/v1/models/books/${what}`, payload });
  expect((await post('compact')).json()).toMatchObject({ items: 301, freshness: { freshItems: 0, localUpdates: 1 } });
  const saved = await post('save', {});
  expect([saved.statusCode, saved.body.includes(path(''))]).toEqual([200, false]);
  await using file = await RetrievalModel.load(path('http.silverlode'));
  expect(file.items).toBe(301);
  expect((await post('save', { to: '/etc/passwd' })).statusCode).toBe(400);
  expect((await post('rollback')).statusCode).toBe(400);
  await rename(path('http.silverlode'), path('elsewhere.silverlode'));
  await hub.load('books', path('v2.silverlode'), { discardUpdates: true });
  await put(hub, 9001);
  expect((await post('rollback', { version: 1 })).json().error).toMatchObject({ code: 'INVALID_ARGUMENT', updates: 1 });
  expect((await post('rollback', { version: 1, discardUpdates: true })).json()).toMatchObject({
    version: 1,
    items: 301,
  });
  await hub.add('films', await RetrievalModel.load(path('v3.silverlode')));
  expect((await app.inject({ method: 'POST', url: '/v1/models/films/save' })).statusCode).toBe(400);
  expect((await app.inject({ method: 'POST', url: '/v1/models/none/compact' })).statusCode).toBe(404);
  await app.close();
});
