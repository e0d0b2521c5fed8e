// Models whose candidates are scored again by float rows: what comes back is scored and ordered by these, priors included.
import { type ItemId, RetrievalModel, type RetrieveRequest, SilverlodeError, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { l2Normalize } from '../reference/l2_normalize.js';
import { rescore } from '../reference/rescore.js';
import { tempFolder } from '../support/temp_folder.js';
import { randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const ITEMS = 90;
const DIMS = 24;
const SEED = 20261201;
const TAGS = ['a', 'b'];
const folder = await tempFolder();

interface Item {
  vector: Float32Array;
  prior: number;
  tag: string;
}

type Catalogue = Map<ItemId, Item>;
type Metric = 'ip' | 'cosine' | 'l2';

const flat = (rows: readonly Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));

function randomItem(random: Random, biased: boolean): Item {
  return {
    vector: randomVectors(random, 1, DIMS),
    prior: biased ? Math.fround(random.normal()) : 0,
    tag: random.pick(TAGS),
  };
}

/** All eligible items, best first: float scores as the op's definition says, the prior added, one rounding. */
function order(
  catalogue: Catalogue,
  metric: Metric,
  heads: readonly Float32Array[],
  { filter, exclude }: RetrieveRequest,
) {
  const excluded = new Set(exclude as ItemId[]);
  const open = [...catalogue].filter(([id, { tag }]) => !excluded.has(id) && (!filter || filter === `tag:${tag}`));
  const given = tensor(flat(heads), { shape: [1, heads.length, DIMS] });
  const users: typeof given = metric === 'cosine' ? tensor(l2Normalize({ x: given }), { shape: given.shape }) : given;
  const vectors = tensor(flat(open.map(([, { vector }]) => vector)), { shape: [open.length, DIMS] });
  const rows = Int32Array.from(open, (_, i) => i);
  const index = tensor(rows, { dtype: 'int32', shape: [1, open.length] });
  const { scores } = rescore({ users, vectors, index, metric });
  const ranked = open.map(([id, { prior }], i) => ({ id, score: Math.fround((scores[i] as number) + prior) }));
  return ranked.sort((a, b) => b.score - a.score);
}

describe.each([
  ...(['ip', 'cosine', 'l2'] as const).map((metric) => ({ metric, biased: false })),
  ...(['ip', 'cosine'] as const).map((metric) => ({ metric, biased: true })),
])('$metric, priors: $biased', ({ metric, biased }) => {
  test.each([1, 2, 3])(`equals float scores of all items, seed ${SEED} + %i`, async (round) => {
    const random = new Random(SEED + round);
    const catalogue: Catalogue = new Map(Array.from({ length: ITEMS }, (_, id) => [id, randomItem(random, biased)]));
    const own = () => [...catalogue.values()];
    const model = await publish({
      items: {
        ids: Int32Array.from(catalogue.keys() as Iterable<number>),
        embeddings: { data: flat(own().map(({ vector }) => vector)), shape: [ITEMS, DIMS] },
        attributes: { tag: own().map(({ tag }) => tag) },
      },
      index: {
        metric,
        clusters: random.pick(['flat', 6]),
        rotate: random.chance(0.5),
        rescore: true,
        ...(biased && { bias: Float32Array.from(own(), ({ prior }) => prior) }),
      },
    });

    const ask = async (asked: RetrievalModel) => {
      const requests = Array.from({ length: 5 }, () => {
        const heads = Array.from({ length: 1 + random.integer(3) }, () => randomVectors(random, 1, DIMS));
        const request: RetrieveRequest = {
          embedding: heads,
          k: random.pick([ITEMS - 10, ITEMS, 3 * ITEMS]),
          exact: true,
        };
        if (random.chance(0.5)) request.filter = `tag:${random.pick(TAGS)}`;
        if (random.chance(0.5)) request.exclude = Array.from({ length: 9 }, () => random.integer(ITEMS));
        return { heads, request };
      });
      const together = await asked.retrieve(requests.map(({ request }) => request));
      for (const [i, { heads, request }] of requests.entries()) {
        const expected = order(catalogue, metric, heads, request).slice(0, request.k);
        for (const result of [await asked.retrieve(request), together[i]]) {
          if (result === undefined || result instanceof SilverlodeError) throw result;
          expect(result.ids).toEqual(expected.map(({ id }) => id));
          expect([...result.scores]).toEqual(expected.map(({ score }) => score));
        }
      }
    };

    const changeSome = async () => {
      const ids = [3, 40, ITEMS + round].filter((id) => id === 3 || !catalogue.has(id) || random.chance(0.5));
      const items = ids.map(() => randomItem(random, biased));
      ids.forEach((id, i) => {
        catalogue.delete(id);
        catalogue.set(id, items[i] as Item);
      });
      await model.upsert({
        ids,
        embeddings: { data: flat(items.map(({ vector }) => vector)), shape: [ids.length, DIMS] },
        attributes: { tag: items.map(({ tag }) => tag) },
        ...(biased && { bias: Float32Array.from(items, ({ prior }) => prior) }),
      });
    };

    await ask(model);
    await changeSome();
    await ask(model);
    const file = folder.path(`${metric}-${biased}-${round}.silverlode`);
    await model.save(file);
    const loaded = await RetrievalModel.load(file);
    await ask(loaded);
    await loaded.close();
    await model.compact();
    await ask(model);
    await changeSome();
    await ask(model);
    await model.close();
  });
});

test('a prior of an l2 index is part of the length, so that float rows cannot take it', async () => {
  const items = { ids: [1, 2], embeddings: { data: new Float32Array(4).fill(1), shape: [2, 2] } };
  const index = { metric: 'l2', bias: new Float32Array(2), rescore: true } as const;
  await expect(publish({ items, index })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: /ip and cosine/ });
});
