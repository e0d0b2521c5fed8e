// Versions under load: swap, refusal, rollback, and memory that is given back.
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { type RetrieveResult, SilverlodeError } from 'silverlode';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HubOptions, ModelFile } from '../../lib/serve/hub_options.js';
import { ModelHub, watchDirectory } from '../../lib/serve/index.js';
import { tempFolder } from '../support/temp_folder.js';
import { FACTS, FakeModel, outcome, turns } from './fake_model.js';
import { ITEMS, queryVector, smallModel, writeModel } from './models.js';

const { path, write } = await tempFolder();
const embedding = queryVector();
const hubs: ModelHub[] = [];

function newHub(options?: HubOptions): ModelHub {
  const hub = new ModelHub(options);
  hubs.push(hub);
  return hub;
}

/** The number of the model of `writeModel(…, 1000 * n)` that answered. */
const origin = ({ ids }: RetrieveResult) => Math.floor((ids[0] as number) / 1000);

beforeAll(async () => {
  for (const n of [1, 2, 3]) await writeModel(path(`v${n}.silverlode`), 1000 * n);
  const whole = await readFile(path('v1.silverlode'));
  await write('truncated.silverlode', whole.subarray(0, whole.length / 2));
  const damaged = Buffer.from(whole);
  damaged[damaged.length - 5] = (damaged[damaged.length - 5] as number) ^ 1;
  await write('damaged.silverlode', damaged);
  await write('foreign.silverlode', 'PK\x03\x04 this is no model');
  await write('empty.silverlode', '');
});

afterEach(() => Promise.all(hubs.splice(0).map((hub) => hub.close())));

/** Keeps so many requests in flight until stopped; returns all outcomes. */
function load(hub: ModelHub, name: string, concurrency = 8) {
  let going = true;
  const seen: (number | string)[] = [];
  const client = async () => {
    while (going) {
      seen.push(await hub.retrieve(name, { embedding, k: 5 }).then(origin, (error) => error.code));
      await turns(1);
    }
  };
  const clients = Array.from({ length: concurrency }, client);
  return {
    seen,
    stop: async () => {
      going = false;
      await Promise.all(clients);
      return seen;
    },
  };
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('hot swap', () => {
  test('under load no request fails, and once load() has settled only the new version answers', async () => {
    const hub = newHub();
    await hub.load('books', path('v1.silverlode'));
    const { seen, stop } = load(hub, 'books');
    await eventually(() => seen.length > 50);
    for (const n of [2, 3, 1, 2]) {
      const { version, state } = await hub.load('books', path(`v${n}.silverlode`));
      expect(state).toBe('serving');
      expect(hub.current('books')?.info.version).toBe(version);
      expect(origin(await hub.retrieve('books', { embedding }))).toBe(n);
      const before = seen.length;
      await eventually(() => seen.length > before + 50);
    }
    const all = await stop();
    expect(new Set(all)).toEqual(new Set([1, 2, 3]));
    await eventually(() => hub.versions('books').filter(({ state }) => state !== 'retired').length === 1);
    expect(hub.versions('books').map(({ version, state }) => [version, state])).toEqual([
      [1, 'retired'],
      [2, 'retired'],
      [3, 'retired'],
      [4, 'retired'],
      [5, 'serving'],
    ]);
  });

  test.each(['truncated', 'damaged', 'foreign', 'empty', 'missing'])(
    'a %s file is refused, the old version stays',
    async (name) => {
      const hub = newHub();
      const refused: [ModelFile, string][] = [];
      hub.on('refused', (file, { code }) => refused.push([file, code]));
      await hub.load('books', path('v1.silverlode'));
      const { seen, stop } = load(hub, 'books');
      const code = await outcome(hub.load('books', path(`${name}.silverlode`)));
      expect(code).toBe(['missing', 'empty'].includes(name) ? 'IO_ERROR' : 'CORRUPT_FILE');
      expect(refused).toEqual([[expect.objectContaining({ name: 'books', path: path(`${name}.silverlode`) }), code]]);
      const before = seen.length;
      await eventually(() => seen.length > before + 20);
      expect(new Set(await stop())).toEqual(new Set([1]));
      expect(hub.versions('books')).toHaveLength(1);
    },
  );

  test('requests in flight finish on their version, whose memory is freed after them', async () => {
    const model = new FakeModel();
    let closed = false;
    const served = {
      items: 1,
      dims: 8,
      describe: () => ({ ...FACTS, bytes: 5 }),
      retrieve: (...args: Parameters<FakeModel['retrieve']>) => model.retrieve(...args),
      profile: async () => [],
      close: async () => {
        closed = true;
      },
    };
    const hub = newHub();
    const added = hub.add('books', served);
    (await model.started(1)).end(); // warming: one request, then eight
    (await model.started(2)).end();
    expect(await added).toMatchObject({ version: 1, path: undefined, bytes: 5 });
    const inFlight = hub.retrieve('books', { embedding, k: 77 });
    await model.started(3);
    await hub.load('books', path('v2.silverlode'));
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);
    expect(hub.versions('books').map(({ state }) => state)).toEqual(['draining', 'serving']);
    expect(closed).toBe(false);
    model.runs[2]?.end();
    expect((await inFlight).ids).toEqual([77]);
    await turns();
    expect(closed).toBe(true);
    expect(await outcome(hub.rollback('books'))).toBe('INVALID_ARGUMENT'); // it has no file
  });

  test('a model that fails to warm is refused', async () => {
    const hub = newHub();
    await hub.load('books', path('v1.silverlode'));
    const broken = await smallModel();
    broken.dispose();
    expect(await outcome(hub.add('books', broken))).toBe('DISPOSED');
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(1);
  });
});

test('a model is prepared before it serves, and refused when that fails', async () => {
  const prepared: string[] = [];
  const hub = newHub({
    prepare: async (name, { items }) => {
      prepared.push(`${name} ${items}`);
      if (prepared.length > 1) throw new SilverlodeError('IO_ERROR', 'the log is gone');
    },
  });
  await hub.load('books', path('v1.silverlode'));
  expect(await outcome(hub.load('books', path('v2.silverlode')))).toBe('IO_ERROR');
  expect(prepared).toEqual([`books ${ITEMS}`, `books ${ITEMS}`]);
  expect(origin(await hub.retrieve('books', { embedding }))).toBe(1);
});

describe('versions', () => {
  test('rollback serves the file of an earlier version again', async () => {
    const hub = newHub();
    for (const n of [1, 2, 3]) await hub.load('books', path(`v${n}.silverlode`), { label: `label ${n}` });
    expect(await hub.rollback('books')).toMatchObject({ version: 2, label: 'label 2', items: ITEMS, state: 'serving' });
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);
    expect(await hub.rollback('books', 1)).toMatchObject({ version: 1 });
    expect(await hub.rollback('books', 3)).toMatchObject({ version: 3 });
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(3);
    expect(hub.versions('books').map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(await hub.load('books', path('v1.silverlode'))).toMatchObject({ version: 4 });
    for (const version of [4, 9]) expect(await outcome(hub.rollback('books', version))).toBe('INVALID_ARGUMENT');
    expect(await outcome(hub.rollback('films'))).toBe('INVALID_ARGUMENT');
  });

  test('a file that another one was renamed to is still there to go back to, until it is out of reach', async () => {
    const hub = newHub({ history: 3 });
    const put = async (n: number) => {
      await copyFile(path(`v${n}.silverlode`), path('next'));
      await rename(path('next'), path('plain.silverlode'));
      await hub.load('books', path('plain.silverlode'));
    };
    for (const n of [1, 2, 3]) await put(n);
    expect(await hub.rollback('books')).toMatchObject({ version: 2 });
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);
    await rm(path('plain.silverlode'));
    for (const [version, n] of [
      [1, 1],
      [3, 3],
      [2, 2],
    ] as const) {
      expect(await hub.rollback('books', version)).toMatchObject({ version });
      expect(origin(await hub.retrieve('books', { embedding }))).toBe(n);
    }
    await put(1);
    expect(hub.versions('books').map(({ version }) => version)).toEqual([2, 3, 4]);
    expect(await outcome(hub.rollback('books', 1))).toBe('INVALID_ARGUMENT');
  });

  test('there is no way back to a file that was rewritten in place', async () => {
    const hub = newHub();
    await copyFile(path('v1.silverlode'), path('same.silverlode'));
    await hub.load('books', path('same.silverlode'));
    await writeFile(path('same.silverlode'), await readFile(path('v2.silverlode')));
    await hub.load('books', path('same.silverlode'));
    await expect(hub.rollback('books')).rejects.toThrow(/has been rewritten since/);
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);
  });

  test('the list is bounded', async () => {
    const hub = newHub({ history: 3 });
    for (const n of [1, 2, 3, 1, 2]) await hub.load('books', path(`v${n}.silverlode`));
    expect(hub.versions('books').map(({ version }) => version)).toEqual([3, 4, 5]);
  });

  test('several models at once; names are never paths', async () => {
    const hub = newHub();
    await hub.load('a', path('v1.silverlode'), { weight: 2 });
    await hub.load('b', path('v2.silverlode'));
    expect(hub.names).toEqual(['a', 'b']);
    const answers = await Promise.all(['a', 'b', 'a', 'b'].map((name) => hub.retrieve(name, { embedding })));
    expect(answers.map(origin)).toEqual([1, 2, 1, 2]);
    await hub.unload('a');
    expect(hub.names).toEqual(['b']);
    for (const name of ['a', '__proto__', 'constructor'])
      expect(await outcome(hub.retrieve(name, { embedding }))).toBe('INVALID_ARGUMENT');
    for (const name of ['', '.', '..', '../v1', 'a/b', 'a\\b', '.a', 'a\0', 'a'.repeat(200)])
      expect(await outcome(hub.load(name, path('v1.silverlode'))), name).toBe('INVALID_ARGUMENT');
  });

  test('a closed hub has answered everything and takes nothing', async () => {
    const hub = newHub();
    await hub.load('books', path('v1.silverlode'));
    const answers = Array.from({ length: 20 }, () => hub.retrieve('books', { embedding }));
    await hub.close();
    expect((await Promise.all(answers)).map(origin)).toEqual(Array(20).fill(1));
    expect(await outcome(hub.load('books', path('v1.silverlode')))).toBe('DISPOSED');
    expect(hub.names).toEqual([]);
  });
});

describe('a watched folder', () => {
  test('files are loaded as they come, change and are damaged', async () => {
    const folder = path('watched');
    await mkdir(folder);
    const put = async (from: string, to: string) => {
      await copyFile(path(from), path('put'));
      await rename(path('put'), `${folder}/${to}`);
    };
    await put('v1.silverlode', 'books.silverlode');
    await writeFile(`${folder}/.hidden.silverlode`, 'x');
    await writeFile(`${folder}/notes.txt`, 'x');
    const hub = newHub();
    const refused: string[] = [];
    hub.on('refused', ({ name }, { code }) => refused.push(`${name} ${code}`));
    const controller = new AbortController();
    const watching = hub.watch(watchDirectory(folder, { signal: controller.signal, intervalMs: 20 }));
    const label = (name: string) => hub.current(name)?.info.label;
    await eventually(() => hub.names.length === 1);

    await put('v2.silverlode', 'books.silverlode');
    await eventually(() => hub.versions('books').length === 2);
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);

    await put('damaged.silverlode', 'books.silverlode');
    await eventually(() => refused.length === 1);
    expect(refused).toEqual(['books CORRUPT_FILE']);
    expect(origin(await hub.retrieve('books', { embedding }))).toBe(2);

    await mkdir(`${folder}/films`);
    await put('v1.silverlode', 'films/9.silverlode');
    await eventually(() => label('films') === '9');
    await put('v3.silverlode', 'films/10.silverlode');
    await eventually(() => label('films') === '10');
    expect(origin(await hub.retrieve('films', { embedding }))).toBe(3);
    await rm(`${folder}/films/10.silverlode`);
    await eventually(() => label('films') === '9');
    expect(origin(await hub.retrieve('films', { embedding }))).toBe(1);

    await mkdir(path('elsewhere'));
    await copyFile(path('v2.silverlode'), path('elsewhere/1.silverlode'));
    await symlink(path('elsewhere'), `${folder}/shows`);
    await eventually(() => label('shows') === '1');
    expect(origin(await hub.retrieve('shows', { embedding }))).toBe(2);

    controller.abort();
    await watching;
    expect(hub.names).toEqual(['books', 'films', 'shows']);
  });
});
