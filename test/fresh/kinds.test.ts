// Updates of models of every make: towers, kinds of ids, files of other versions, damaged files.
import { readFile } from 'node:fs/promises';
import {
  Module,
  nn,
  ops,
  publish,
  RetrievalModel,
  raggedInput,
  type SymbolicTensor,
  type Tower,
  tensor,
} from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { openDevice } from '../../lib/native/device.js';
import { readModelFile, writeModelFile } from '../../lib/snapshot/model_file.js';
import { answerOf, randomVectors } from '../retrieval/catalogue.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const random = new Random(21);
const [items, dims] = [200, 8];
const data = randomVectors(random, items, dims);
const matrix = (rows: number, values: Float32Array = randomVectors(random, rows, dims)) => ({
  data: values,
  shape: [rows, dims] as const,
});
const numbers = Array.from({ length: items }, (_, i) => i);

class Users extends Module implements Tower {
  readonly inputs = { age: { dtype: 'float32', shape: ['batch', 3] }, seen: raggedInput('int32', 'seen') } as const;
  readonly history = new nn.EmbeddingBag(items, dims, { mode: 'mean' });
  readonly project = new nn.Linear(3 + dims, 2 * dims);

  forward({ age, seen }: { age: SymbolicTensor; seen: { values: SymbolicTensor; offsets: SymbolicTensor } }) {
    return ops.reshape(this.project.forward(ops.concat([age, this.history.forward(seen.values, seen.offsets)])), [
      'batch',
      2,
      dims,
    ]);
  }
}

test('a model with a tower and two heads', async () => {
  const tower = new Users();
  const rerank = new nn.OverArch({ dims, heads: 2, hidden: [8], tasks: ['click'] });
  const added = matrix(30);
  const user = { age: [1, -0.5, 2], seen: [3, 5, 8] };
  await using model = await publish({ items: { ids: numbers, embeddings: matrix(items, data) }, tower, rerank });
  await model.upsert({ ids: Array.from({ length: 30 }, (_, i) => 1000 + i), embeddings: added });
  await model.delete(numbers.slice(0, 50));
  const all = matrix(180, Float32Array.from([...data.subarray(50 * dims), ...added.data]));
  const ids = [...numbers.slice(50), ...Array.from({ length: 30 }, (_, i) => 1000 + i)];
  await using scratch = await publish({ items: { ids, embeddings: all }, tower, rerank });
  const requests = [
    { user, k: 20 },
    { user: { age: [0, 0, 1], seen: [] }, k: 300, exclude: [1000, 60] },
  ];
  const expected = (await scratch.retrieve(requests)).map(answerOf);
  expect((await model.retrieve(requests)).map(answerOf)).toEqual(expected);
  await model.compact();
  expect((await model.retrieve(requests)).map(answerOf)).toEqual(expected);
  const plan = await model.explain({ user });
  expect(plan).toMatchObject({ heads: 2, clusters: 1 });
  await model.upsert({ ids: [7], embeddings: matrix(1) });
  expect((await model.profile({ user })).some(({ label }) => label.startsWith('fresh'))).toBe(true);
});

describe('ids', () => {
  const kinds = {
    strings: [numbers.map(String), ['ü 東京', 'new'], Array],
    numbers: [Int32Array.from(numbers), [-5, 2 ** 31 - 1], Int32Array],
    'larger numbers beside small ones': [Int32Array.from(numbers), [2 ** 40, -5], Float64Array],
    bigints: [numbers.map(BigInt), [2n ** 62n, -1n], BigInt64Array],
  } as const;
  test.each(Object.entries(kinds))(
    '%s come back in their type, also from files',
    async (_, [ids, added, arrayType]) => {
      const path = folder.path('ids.silverlode');
      const embedding = Float32Array.from(data.subarray(0, dims));
      const far = embedding.map((value) => value * 1000);
      await using model = await publish({ items: { ids: ids as string[], embeddings: matrix(items, data) } });
      await model.upsert({
        ids: added as unknown as string[],
        embeddings: matrix(2, Float32Array.from([...far, ...far])),
      });
      const check = async (each: RetrievalModel) => {
        expect((await each.retrieve({ embedding, k: 2 })).ids).toEqual(added);
        const batch = await each.retrieveBatch({
          embeddings: Float32Array.from([...embedding, ...embedding]),
          count: 2,
          k: 2,
        });
        expect(batch.ids).toBeInstanceOf(arrayType);
        expect(Array.from<unknown>(batch.ids)).toEqual([...added, ...added]);
        expect((await each.retrieve({ embedding, k: 500, exclude: added })).ids).toHaveLength(items);
      };
      await check(model);
      await model.save(path);
      await using loaded = await RetrievalModel.load(path);
      await check(loaded);
      await loaded.compact();
      await check(loaded);
    },
  );
});

describe('files', () => {
  const attributes = { tag: numbers.map((i) => `t${i % 7}`) };

  test('a model of a version that knew no updates loads, answers, and says so', async () => {
    const [path, old] = [folder.path('new.silverlode'), folder.path('old.silverlode')];
    await using model = await publish({ items: { ids: numbers, embeddings: matrix(items, data), attributes } });
    await model.save(path);
    const device = openDevice({ device: 'cpu' });
    const tensors = await readModelFile(device, path, true);
    const { freshPrograms: _, ...manifest } = JSON.parse(
      Buffer.from(tensors.get('manifest')?.view() as Uint8Array).toString(),
    );
    tensors.delete('manifest');
    await writeModelFile(device, old, tensors, new TextEncoder().encode(JSON.stringify(manifest)));
    device.dispose();
    await using loaded = await RetrievalModel.load(old);
    const request = { embedding: data.slice(0, dims), filter: 'tag:t1' };
    expect((await loaded.retrieve(request)).ids).toEqual((await model.retrieve(request)).ids);
    await expectCode('UNSUPPORTED_VERSION', () => loaded.delete([1]));
  });

  test('damage to a file with updates is refused; unverified it never crashes', async () => {
    const path = folder.path('updated.silverlode');
    const damaged = folder.path('damaged.silverlode');
    await using model = await publish({ items: { ids: numbers, embeddings: matrix(items, data), attributes } });
    await model.upsert({
      ids: [1000, 3],
      embeddings: matrix(2),
      attributes: { tag: ['t1', 'new'], extra: [true, 5 > 3] },
    });
    await model.delete([5, 6]);
    await model.save(path);
    const bytes = await readFile(path);
    const codes: Record<string, number> = {};
    for (let i = 0; i < 150; i++) {
      const flipped = Buffer.from(bytes);
      const at = random.integer(flipped.length);
      flipped[at] = (flipped[at] as number) ^ (1 << random.integer(8));
      await folder.write('damaged.silverlode', flipped);
      const verify = i % 2 === 0;
      const loaded = await RetrievalModel.load(damaged, { verify }).catch((error: { code: string }) => error.code);
      const key = typeof loaded === 'string' ? loaded : 'loaded';
      codes[key] = (codes[key] ?? 0) + 1;
      if (typeof loaded === 'string') continue;
      if (verify)
        expect(answerOf(await loaded.retrieve({ embedding: data.slice(0, dims) }))).toEqual(
          answerOf(await model.retrieve({ embedding: data.slice(0, dims) })),
        );
      await loaded.retrieve({ embedding: data.slice(0, dims), filter: 'tag:new OR extra:true' }).catch(() => undefined);
      await loaded.updateAttributes([3, 4], { tag: ['a', 'b'] }).catch(() => undefined);
      await loaded.compact().catch(() => undefined);
      await loaded.close();
    }
    console.log('flipped bits of a file with updates', codes);
    expect(codes.CORRUPT_FILE).toBeGreaterThan(75);
  });
});

test('updates in flight finish when the model is disposed', async () => {
  const model = await publish({ items: { ids: numbers, embeddings: matrix(items, data) } });
  const pending = Promise.all(
    numbers.map((id) =>
      model.upsert({ ids: [id], embeddings: { data: tensor(data.slice(0, dims)).view(), shape: [1, dims] } }),
    ),
  );
  const compacting = model.compact();
  const closed = model.close();
  await expect(pending).resolves.toHaveLength(items);
  await compacting;
  await closed;
});
