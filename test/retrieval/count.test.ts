// `count`: how many items a request may get in all, beside a reference that looks at every one of them.
import { type RetrieveRequest, SilverlodeError } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { publishCatalogue, ReferenceRetrieval, randomCatalogue, randomRequest } from './catalogue.js';

const SEED = 4211;
const ITEMS = 700;

describe.each(['flat', 9, 'auto'] as const)('clusters: %s', (clusters) => {
  test(`counts what is eligible, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const catalogue = randomCatalogue(random, { items: ITEMS, dims: 6, attributes: true });
    const reference = new ReferenceRetrieval(catalogue);
    await using model = await publishCatalogue(catalogue, { index: { clusters } });
    const asked = Array.from({ length: 60 }, () => randomRequest(random, catalogue, 1 + random.integer(2)));
    const requests = asked.map(({ given }): RetrieveRequest => ({ ...given, k: 3, count: true }));
    const together = await model.retrieve(requests);
    for (const [i, { reference: request }] of asked.entries()) {
      const eligible = reference.retrieve({ ...request, k: ITEMS }).length;
      for (const answer of [together[i], await model.retrieve(requests[i] as RetrieveRequest)]) {
        if (answer instanceof SilverlodeError) throw answer;
        expect(answer?.stats.eligibleItems).toBe(eligible);
        expect(answer?.ids).toEqual(reference.retrieve({ ...request, k: 3 }).map(({ id }) => id));
      }
    }
    expect((await model.retrieve(asked[0]?.given as RetrieveRequest)).stats).not.toHaveProperty('eligibleItems');
  });
});

test('fresh and deleted items count too', async () => {
  const random = new Random(SEED);
  const catalogue = randomCatalogue(random, { items: ITEMS, dims: 6 });
  await using model = await publishCatalogue(catalogue, { index: { clusters: 9 } });
  const embedding = catalogue.data.slice(0, 6);
  const counted = async (request: Partial<RetrieveRequest> = {}) =>
    (await model.retrieve({ embedding, k: 1, count: true, ...request })).stats.eligibleItems;
  expect(await counted()).toBe(ITEMS);
  await model.delete([1, 2, 3]);
  const embeddings = { data: catalogue.data.slice(0, 18), shape: [3, 6] };
  await model.upsert({ ids: [4, 5, 5000], embeddings, attributes: { kind: ['a', 'b', 'a'] } });
  expect(await counted()).toBe(ITEMS - 3 + 1);
  expect(await counted({ filter: 'kind:a' })).toBe(2);
  expect(await counted({ filter: 'kind:a', exclude: [4, 6] })).toBe(1);
  expect(await counted({ exclude: [1, 4, 6] })).toBe(ITEMS - 4);
  await model.compact();
  expect(await counted({ filter: 'NOT kind:a' })).toBe(ITEMS - 4);
});

test('does not go with what looks at some of the items', async () => {
  const catalogue = randomCatalogue(new Random(SEED), { items: 10, dims: 2 });
  await using model = await publishCatalogue(catalogue);
  const embedding = new Float32Array([1, 1]);
  for (const other of [{ probes: 1 }, { recall: 0.9 }, { exact: false }]) {
    const request = { embedding, count: true, ...other };
    await expect(model.retrieve(request)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: Object.keys(other)[0],
    });
  }
  await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding, count: 1 as never }));
  expect((await model.retrieve({ embedding, recall: 1, exact: true, count: true })).stats.eligibleItems).toBe(10);
});
