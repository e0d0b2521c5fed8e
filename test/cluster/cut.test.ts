// Shards of a model: together they answer as the whole does.
import { RetrievalModel, type RetrieveRequest, type SilverlodeError } from 'silverlode';
import { cutModel } from 'silverlode/cluster';
import { expect, test } from 'vitest';
import { mergeAnswers } from '../../lib/cluster/merge.js';
import { readShardOrder } from '../../lib/cluster/shard_file.js';
import { Random } from '../../lib/data/random.js';
import { publishCatalogue, randomCatalogue, randomRequest } from '../retrieval/catalogue.js';
import { tempFolder } from '../support/temp_folder.js';

const { path } = await tempFolder();

for (const metric of ['ip', 'cosine', 'l2'] as const) {
  for (const clusters of ['flat', 24] as const) {
    test(`shards of ${clusters} clusters by ${metric} find what the whole finds, in the same order`, async () => {
      const random = new Random(17);
      const catalogue = randomCatalogue(random, { items: 1503, dims: 33, metric, bias: true, attributes: true });
      await using whole = await publishCatalogue(catalogue, { index: { clusters } });
      const file = path(`${metric}-${clusters}.silverlode`);
      await whole.save(file);
      const files = await cutModel(file, path(`${metric}-${clusters}`), { shards: 4 });
      const shards = await Promise.all(
        files.map(async (each) => ({ model: await RetrievalModel.load(each), order: await readShardOrder(each) })),
      );
      expect(shards.reduce((sum, { model }) => sum + model.items, 0)).toBe(1503);
      for (let i = 0; i < 30; i++) {
        const { given } = randomRequest(random, catalogue, 1 + (i % 2));
        const request: RetrieveRequest = { ...given, recall: 1 };
        const answers = await Promise.all(
          shards.map(async ({ model, order }) => {
            const answer = await model.retrieve(request);
            return { ...answer, places: Int32Array.from(answer.ids, (id) => order.placeOf(id)) };
          }),
        );
        const expected = await whole.retrieve(request);
        const merged = mergeAnswers(answers, request.k as number);
        expect(merged.ids).toEqual(expected.ids);
        expect(merged.scores).toEqual(expected.scores);
      }
      for (const { model } of shards) await model.close();
    });
  }
}

test('what cannot be cut is refused', async () => {
  const catalogue = randomCatalogue(new Random(3), { items: 50, dims: 8 });
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      ({ code }: SilverlodeError) => code,
    );
  await using plain = await publishCatalogue(catalogue);
  await plain.save(path('plain.silverlode'));
  for (const shards of [0, 1.5, 51, 2000])
    expect(await refusal(cutModel(path('plain.silverlode'), path('none'), { shards }))).toBe('INVALID_ARGUMENT');
  const [shard] = await cutModel(path('plain.silverlode'), path('once'), { shards: 2 });
  expect(await refusal(cutModel(shard as string, path('none'), { shards: 2 }))).toBe('INVALID_ARGUMENT');
  expect(await refusal(readShardOrder(path('plain.silverlode')))).toBe('INVALID_ARGUMENT');

  await using valued = await publishCatalogue(catalogue, { value: '2 * score' });
  await valued.save(path('valued.silverlode'));
  expect(await refusal(cutModel(path('valued.silverlode'), path('none'), { shards: 2 }))).toBe('INVALID_ARGUMENT');
  await using rescored = await publishCatalogue(catalogue, { index: { rescore: true } });
  await rescored.save(path('rescored.silverlode'));
  expect(await refusal(cutModel(path('rescored.silverlode'), path('none'), { shards: 2 }))).toBe('INVALID_ARGUMENT');

  await plain.upsert({ ids: [99], embeddings: { data: new Float32Array(8).fill(1), shape: [1, 8] } });
  await plain.save(path('updated.silverlode'));
  expect(await refusal(cutModel(path('updated.silverlode'), path('none'), { shards: 2 }))).toBe('INVALID_ARGUMENT');
});
