// Ids and the table that finds them, which lie in the model file: against a Map, and against published values of the hash.
import { publish, RetrievalModel } from 'silverlode';
import { describe, expect, test, vi } from 'vitest';
import type { Random } from '../../lib/data/random.js';
import { openDevice } from '../../lib/native/device.js';
import { StringIds } from '../../lib/retrieval/id_column.js';
import { ID_LOOKUP, IdLookup } from '../../lib/retrieval/id_lookup.js';
import { CatalogueIds } from '../../lib/retrieval/item_ids.js';
import type { ItemId, ItemIds } from '../../lib/retrieval/types.js';
import { readModelFile, writeModelFile } from '../../lib/snapshot/model_file.js';
import { Tensor } from '../../lib/tensor/tensor.js';
import { expectCode, property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

const KINDS: Readonly<Record<string, (random: Random) => ItemId>> = {
  'small numbers': (random) => random.integer(9000) - 4500,
  'wide numbers': (random) => (random.integer(9000) - 4500) * 2 ** random.integer(40),
  bigints: (random) => BigInt(random.integer(9000) - 4500) << BigInt(random.integer(50)),
  strings: (random) =>
    ['', 'é', '\u{1f600}', '\ufffd', 'item '].map((text) => text + random.integer(900))[random.integer(5)] as string,
  'long strings': (random) => 'x'.repeat(random.integer(70)) + random.integer(60),
};
const OTHERS: readonly unknown[] = [
  '',
  '0',
  0,
  -0,
  0n,
  0.5,
  2 ** 60,
  2n ** 70n,
  Number.NaN,
  '\ud83d',
  '\ufffd',
  undefined,
  null,
  {},
];

for (const [name, draw] of Object.entries(KINDS)) {
  for (const ascending of [false, true]) {
    property(`${ascending ? 'ascending ' : ''}${name} are found, and nothing else is`, 5, async (random) => {
      const order = new Map<ItemId, number>();
      const drawn = [...new Set(Array.from({ length: 1 + random.integer(3000) }, () => draw(random)))];
      if (ascending) drawn.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      for (const [ordinal, id] of drawn.entries()) order.set(id, ordinal);
      const made = await CatalogueIds.from(drawn as string[]);
      await made.index();
      const slots = made.tensors.get(ID_LOOKUP)?.shape[0];
      expect(slots === 0).toBe(
        (drawn.length < 2 && typeof drawn[0] !== 'string') || (ascending && typeof drawn[0] !== 'string'),
      );
      const restored = CatalogueIds.restore(made.kind, made.tensors, drawn.length);
      for (const ids of [made, restored]) {
        expect(Array.from({ length: ids.length }, (_, ordinal) => ids.at(ordinal))).toEqual(
          drawn.map((id) => id || id),
        );
        for (const [id, ordinal] of order) expect(ids.ordinalOf(id)).toBe(ordinal);
        for (let i = 0; i < 300; i++) {
          const id = draw(random);
          expect(ids.ordinalOf(id)).toBe(order.get(id));
        }
        for (const id of OTHERS) expect(ids.ordinalOf(id as ItemId)).toBe(order.get(id as ItemId));
        const some = Int32Array.from({ length: 20 }, () => random.integer(drawn.length));
        const expected = Array.from(some, (ordinal) => drawn[ordinal]);
        expect([...ids.gather(some)]).toEqual(expected.map((id) => id || id));
        expect(ids.list(some, 5, 9)).toEqual(expected.slice(5, 9).map((id) => id || id));
      }
    });
  }
}

test('the hash of texts is MurmurHash3_x86_32: files depend on it', async () => {
  const column = await StringIds.encode(['hello', 'hello, world', 'The quick brown fox jumps over the lazy dog'], 2);
  const expected = [0x248bfa47, 0x149bbb7f, 0x2e4ff723];
  expect(expected.map((_, ordinal) => column.hashAt(ordinal))).toEqual(expected);
  expect(column.hashOf('hello')).toBe(expected[0]);
  expect(column.hashOf('')).toBe(0);
});

test.each<[string, ItemIds, number]>([
  ['numbers', [5, 3, 5], 2],
  ['ascending numbers', [3, 5, 5], 2],
  ['bigints', [2n ** 60n, 3n, 2n ** 60n], 2],
  ['strings', ['a', 'b', 'b', 'a'], 2],
])('the first id that is used again is named: %s', async (_, ids, item) => {
  const made = await CatalogueIds.from(ids);
  await expect(made.index()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', item, id: ids[item] });
});

describe('model files', () => {
  const ids = ['b', 'a', 'ç', 'd'];
  const items = { ids, embeddings: { data: new Float32Array(8).fill(1), shape: [4, 2] } };
  const embedding = Float32Array.of(1, 1);
  const path = folder.path('ids.silverlode');

  test('hold the table, so that loading builds none', async () => {
    {
      await using model = await publish({ items });
      await model.save(path);
    }
    const build = vi.spyOn(IdLookup, 'build');
    await using model = await RetrievalModel.load(path);
    expect((await model.retrieve({ embedding, exclude: ['a', 'x'] })).ids).toEqual(['b', 'ç', 'd']);
    await model.delete(['ç']);
    expect(build).not.toHaveBeenCalled();
    build.mockRestore();
  });

  test('of earlier versions have none and get one when they are saved', async () => {
    const device = openDevice({ device: 'cpu', threads: 1 });
    const all = await readModelFile(device, path, true);
    const manifest = all.get('manifest')?.view() as Uint8Array;
    const before = folder.path('before.silverlode');
    const without = new Map([...all].filter(([name]) => name !== ID_LOOKUP && name !== 'manifest'));
    await writeModelFile(device, before, without, manifest);
    await using model = await RetrievalModel.load(before, { device: 'cpu' }); // runs on the calling thread
    expect(model.retrieveSync({ embedding, exclude: ['a'] }).ids).toEqual(['b', 'ç', 'd']);
    const again = folder.path('again.silverlode');
    await model.save(again);
    expect((await readModelFile(device, again, true)).get(ID_LOOKUP)?.shape).toEqual([6]);
    device.dispose();
  });

  test('with damaged offsets or tables are refused, or find nothing', async () => {
    const made = await CatalogueIds.from(ids);
    await made.index();
    const offsets = made.tensors.get('ids.offsets')?.view() as BigInt64Array;
    const kept = offsets[2] as bigint;
    for (const wrong of [-1n, 2n ** 40n, -(2n ** 62n)]) {
      offsets[2] = wrong;
      await expectCode('CORRUPT_FILE', () => made.at(1));
    }
    offsets[2] = kept;
    const table = made.tensors.get(ID_LOOKUP)?.view() as Int32Array;
    table.fill(1);
    expect([made.ordinalOf('a'), made.ordinalOf('b')]).toEqual([1, undefined]);
    table.fill(7);
    expect(made.ordinalOf('a')).toBeUndefined();
    const other = new Map([...made.tensors, [ID_LOOKUP, Tensor.allocate('int8', [6]) as Tensor]]);
    await expectCode('CORRUPT_FILE', () => CatalogueIds.restore('string', other, 4));
    await expectCode('CORRUPT_FILE', () => CatalogueIds.restore('string', made.tensors, 5));
    await expectCode('CORRUPT_FILE', () => CatalogueIds.restore('number', made.tensors, 4));
  });
});
