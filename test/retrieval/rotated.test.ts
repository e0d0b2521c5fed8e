// Models whose items are centred and rotated before they become int8: contracts, choice and worth.
import { nn, RetrievalModel, readSafetensors } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import type { ReferenceCatalogue, ReferenceRotation } from '../reference/retrieval.js';
import { expectCode, property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import {
  expectAnswer,
  publishCatalogue,
  ReferenceRetrieval,
  randomCatalogue,
  randomRequest,
  randomVectors,
} from './catalogue.js';
import { publish } from './publish.js';

const folder = await tempFolder();
const METRICS = ['ip', 'cosine', 'l2'] as const;

/** Gaussian items around a mean `offset` long in every dimension. */
function shiftedCatalogue(
  random: Random,
  options: Parameters<typeof randomCatalogue>[1],
  offset = 5,
): ReferenceCatalogue {
  const catalogue = randomCatalogue(random, options);
  const mean = Float32Array.from({ length: options.dims }, () => offset * random.normal());
  const data = catalogue.data.map((x, i) => x + (mean[i % options.dims] as number));
  return { ...catalogue, data };
}

async function rotationOf(model: RetrievalModel): Promise<ReferenceRotation> {
  const path = folder.path('rotation.silverlode');
  await model.save(path);
  const state = readSafetensors(path);
  return {
    mean: state.get('index.mean')?.data as Float32Array<ArrayBuffer>,
    signs: state.get('index.signs')?.data as Int8Array<ArrayBuffer>,
    aligned: model.describe().rotation.aligned,
  };
}

const isRotated = (model: RetrievalModel) => model.describe().rotation.applied;

property('ids and scores are those of the reference, flat and clustered', 12, async (random) => {
  const metric = random.pick(METRICS);
  const options = { items: 1 + random.integer(400), dims: 1 + random.integer(70), metric, bias: random.chance(0.5) };
  const catalogue = shiftedCatalogue(random, { ...options, attributes: true });
  const clusters = random.pick(['flat', 7] as const);
  using model = await publishCatalogue(catalogue, { index: { clusters, rotate: true, probes: 1000 } });
  const reference = new ReferenceRetrieval(catalogue, await rotationOf(model));
  for (let i = 0; i < 10; i++) {
    const request = randomRequest(random, catalogue, 1 + random.integer(3));
    const result = await model.retrieve(request.given);
    const expected = reference.retrieve(request.reference);
    expect([...result.scores]).toEqual(expected.map(({ score }) => score));
    // Adding the offset may make scores equal that were not, also at the end of the list.
    const scoreOf = new Map(reference.retrieve({ ...request.reference, k: options.items }).map((x) => [x.id, x.score]));
    expect(result.ids.map((id) => scoreOf.get(id as number))).toEqual([...result.scores]);
    expect(new Set(result.ids).size).toBe(result.ids.length);
  }
});

describe.each(METRICS)('%s', (metric) => {
  test('updates, saving and folding answer as the reference does', async () => {
    const random = new Random(5);
    const all = shiftedCatalogue(random, { items: 500, dims: 40, metric });
    const first = { ...all, items: 300, data: all.data.slice(0, 300 * 40) };
    let model = await publishCatalogue(first, { index: { clusters: 6, probes: 6, rotate: true } });
    const rotation = await rotationOf(model);
    const ids = Int32Array.from({ length: 200 }, (_, i) => 300 + i);
    await model.upsert({ ids, embeddings: { data: all.data.slice(300 * 40), shape: [200, 40] } });
    const reference = new ReferenceRetrieval(all, rotation);
    const requests = Array.from({ length: 6 }, (_, i) => randomRequest(random, all, 1 + (i % 2)));
    const check = async () => {
      for (const { given, reference: asked } of requests) expectAnswer(await model.retrieve(given), reference, asked);
    };
    await check();
    const path = folder.path(`updated_${metric}.silverlode`);
    await model.save(path);
    await model.close();
    model = await RetrievalModel.load(path);
    await check();
    await model.compact();
    await check();
    expect(isRotated(model)).toBe(true);
    await model.close();
  });

  test('a common mean is found, and costs no recall then', async () => {
    const [items, dims] = [3000, 64];
    const random = new Random(7);
    const catalogue = shiftedCatalogue(random, { items, dims, metric }, 20);
    // Like the items, with nothing of their mean, and the opposite, whose part along the mean stays.
    const queriesOf = (kind: (item: Float32Array) => Float32Array) =>
      Array.from({ length: 20 }, (_, i) => kind(catalogue.data.slice(i * dims, (i + 1) * dims)));
    const kinds = {
      alike: queriesOf((item) => item),
      unlike: queriesOf(() => randomVectors(random, 1, dims)),
      opposite: queriesOf((item) => item.map((x) => -x)),
    };
    using model = await publishCatalogue(catalogue, { index: { clusters: 'flat', rotate: 'auto' } });
    using plain = await publishCatalogue(catalogue, { index: { clusters: 'flat', rotate: false } });
    expect([isRotated(model), isRotated(plain)]).toEqual([true, false]);
    const recall = async (of: RetrievalModel, queries: readonly Float32Array[]) => {
      let found = 0;
      for (const query of queries) {
        const kth = exactScores(catalogue, query).toSorted().at(-10) as number;
        const { ids } = await of.retrieve({ embedding: query, k: 10 });
        found += ids.filter((id) => (exactScores(catalogue, query)[id as number] as number) >= kth).length;
      }
      return found / (10 * queries.length);
    };
    for (const [kind, queries] of Object.entries(kinds)) {
      const [rotated, asGiven] = [await recall(model, queries), await recall(plain, queries)];
      expect.soft(rotated, kind).toBeGreaterThanOrEqual(kind === 'opposite' && metric !== 'l2' ? 0.75 : 0.97);
      expect.soft(rotated, kind).toBeGreaterThanOrEqual(asGiven);
      if (kind === 'alike') expect.soft(asGiven).toBeLessThan(rotated - 0.02);
    }
  });
});

/** In float64. */
function exactScores({ data, dims, metric }: ReferenceCatalogue, query: Float32Array): Float64Array {
  return Float64Array.from({ length: data.length / dims }, (_, item) => {
    let [dot, squares, distance] = [0, 0, 0];
    for (let d = 0; d < dims; d++) {
      const x = data[item * dims + d] as number;
      dot += x * (query[d] as number);
      squares += x * x;
      distance += (x - (query[d] as number)) ** 2;
    }
    return metric === 'l2' ? -distance : metric === 'cosine' ? dot / Math.sqrt(squares) : dot;
  });
}

describe('the choice', () => {
  const publishItems = (data: Float32Array, dims: number, index = {}) =>
    publish({
      items: {
        ids: Int32Array.from({ length: data.length / dims }, (_, i) => i),
        embeddings: { data, shape: [data.length / dims, dims] },
      },
      index,
    });

  test('items without mean or outliers stay as they are; one large dimension is found', async () => {
    const random = new Random(1);
    for (const dims of [32, 64]) {
      const data = Float32Array.from({ length: 2000 * dims }, () => random.normal());
      using plain = await publishItems(data, dims);
      expect([dims, isRotated(plain)]).toEqual([dims, false]);
      using wide = await publishItems(
        data.map((x, i) => (i % dims === 7 ? 40 + x : x)),
        dims,
      );
      expect([dims, isRotated(wide)]).toEqual([dims, true]);
    }
  });

  test('few items and old models say nothing', async () => {
    using few = await publishItems(new Float32Array(255 * 8).fill(1), 8);
    expect(few.describe().rotation).toEqual({ applied: false, aligned: false, errorRatio: null });
    using forced = await publishItems(new Float32Array(255 * 8).fill(1), 8, { rotate: true });
    expect(isRotated(forced)).toBe(true);
  });

  test('a reranker that reads the int8 rows gets them as given', async () => {
    const catalogue = shiftedCatalogue(new Random(2), { items: 600, dims: 32 });
    const rerank = new nn.OverArch({ dims: 32, hidden: [8], tasks: ['click'] });
    const hints: (string | undefined)[] = [];
    const onProgress = ({ hint }: { hint?: string }) => hints.push(hint);
    using plain = await publishCatalogue(catalogue, { rerank, index: { rotate: 'auto' }, onProgress });
    expect(isRotated(plain)).toBe(false);
    expect(hints).toContainEqual(
      expect.stringMatching(/^rotated rows would have \d+ % of the error, but the reranker/),
    );
    using tabled = await publishCatalogue(catalogue, {
      rerank,
      rerankEmbeddings: 'float16',
      index: { rotate: 'auto' },
    });
    expect(isRotated(tabled)).toBe(true);
    await expectCode('INVALID_ARGUMENT', () => publishCatalogue(catalogue, { rerank, index: { rotate: true } }));
    await expectCode('INVALID_ARGUMENT', () => publishCatalogue(catalogue, { index: { rotate: 'yes' as never } }));
  });
});
