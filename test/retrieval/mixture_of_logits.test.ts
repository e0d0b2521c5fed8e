// A published model that reranks with a mixture of logits, against the definition in float64.
import { nn, publish, RetrievalModel, type RetrieveResult, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { floats } from '../cases/floats.js';
import { widened } from '../reference/half.js';
import { l2Normalize } from '../reference/l2_normalize.js';
import { dense } from '../reference/linear.js';
import { mixtureOfLogits } from '../reference/mixture_of_logits.js';
import { quantizeInt8 } from '../reference/quantize_int8.js';
import { expectClose } from '../support/close.js';
import { expectCode, simdLevels } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { answerOf, randomVectors } from './catalogue.js';

const folder = await tempFolder();
const random = new Random(11);
const [items, dims, heads, features] = [200, 10, 2, 2];
const sizes = { userComponents: 3, itemComponents: 2, componentDims: 6, temperature: 0.5 };
const data = randomVectors(random, items, dims);
const columns = randomVectors(random, items, features);
const given = {
  items: {
    ids: Array.from({ length: items }, (_, i) => i),
    embeddings: { data, shape: [items, dims] as const },
    features: { data: columns, shape: [items, features] as const, names: ['age', 'price'] },
  },
};
const users = Array.from({ length: 9 }, () => [randomVectors(random, 1, dims), randomVectors(random, 1, dims)]);

function reranker(): nn.MixtureOfLogits {
  const rerank = new nn.MixtureOfLogits({ dims, heads, features, tasks: ['click', 'like'], ...sizes });
  const weights = [...rerank.parameters()].map(([name, { shape }]) => {
    return [name, floats(random, 'float32', ...shape)] as const;
  });
  rerank.loadStateDict(new Map(weights));
  return rerank;
}

/** Logits [items, tasks] of one user, with the item embeddings that the model reads. */
function reference(rerank: nn.MixtureOfLogits, user: readonly Float32Array[], embeddings: Partial<Tables>) {
  const u = Float32Array.from(user.flatMap((head) => [...head]));
  const linear = ({ weight, bias }: nn.Linear) => {
    const [out, width] = weight.shape as [number, number];
    return dense(u, widened(weight), bias && widened(bias), [1, width, out], 'none');
  };
  const { userComponents: p, itemComponents: q, componentDims: d, temperature } = sizes;
  const components = l2Normalize({ x: tensor(linear(rerank.user), { shape: [p, d] }) });
  const all = () => tensor(Int32Array.from(given.items.ids), { shape: [1, items] }) as Tensor<'int32'>;
  return mixtureOfLogits({
    user: tensor(components, { shape: [1, p, d] }),
    userGates: tensor(linear(rerank.userGate), { shape: [1, 2, p * q] }),
    embeddings: tensor(data, { shape: [items, dims] }),
    ...embeddings,
    embeddingIndex: all(),
    features: tensor(columns, { shape: [items, features] }),
    featureIndex: all(),
    item: rerank.item,
    itemGate: rerank.itemGate,
    crossGate: rerank.crossGate,
    temperature,
  });
}

interface Tables {
  embeddings: Tensor;
  embeddingScales: Tensor;
}

function int8Tables(): Tables {
  const { quantized, scales } = quantizeInt8({ values: tensor(data, { shape: [items, dims] }) });
  return {
    embeddings: tensor(quantized, { shape: [items, quantized.length / items] }),
    embeddingScales: tensor(scales),
  };
}

const TABLES: Readonly<Record<'int8' | 'float16' | 'float32', () => Partial<Tables>>> = {
  int8: int8Tables,
  float16: () => ({ embeddings: tensor([...data], { dtype: 'float16', shape: [items, dims] }) }),
  float32: () => ({}),
};

describe.each(Object.entries(TABLES))('item embeddings in %s', async (kind, tables) => {
  const rerank = reranker();
  const model = await publish({
    ...given,
    rerank,
    rerankEmbeddings: kind as keyof typeof TABLES,
    value: '2*click - weight.like*like + 0.1*age',
  });
  const path = folder.path(`${kind}.silverlode`);
  await model.save(path);
  const requests = users.map((embedding, i) => ({ embedding, k: items, weights: { like: i / 4 } }));
  const expected = (await model.retrieve(requests)).map(answerOf);

  test('tasks and scores are those of the definition', async () => {
    const results = (await model.retrieve(requests)) as RetrieveResult[];
    results.forEach(({ ids, tasks, scores }, i) => {
      const logits = reference(rerank, users[i] as Float32Array[], tables());
      const [click, like] = [0, 1].map((task) => ids.map((id) => logits[2 * (id as number) + task] as number));
      const value = ids.map((id, at) => {
        const age = columns[2 * (id as number)] as number;
        return 2 * (click?.[at] as number) - (i / 4) * (like?.[at] as number) + 0.1 * age;
      });
      expect(ids).toHaveLength(items);
      expectClose(tasks?.click as Float32Array, click as number[], { absolute: 1e-4 });
      expectClose(tasks?.like as Float32Array, like as number[], { absolute: 1e-4 });
      expectClose(scores, value, { absolute: 5e-4 });
      expect([...scores].sort((a, b) => b - a)).toEqual([...scores]);
    });
  });

  test('a loaded model answers the same on every SIMD level, at any thread count, alone and in batches', async () => {
    for (const simd of simdLevels) {
      for (const threads of [1, 3]) {
        await using loaded = await RetrievalModel.load(path, { simd, threads });
        expect((await loaded.retrieve(requests)).map(answerOf)).toEqual(expected);
        for (const [i, request] of requests.slice(0, 3).entries()) {
          expect(answerOf(await loaded.retrieve(request))).toEqual(expected[i]);
        }
      }
    }
  });
});

test('the number of heads is part of the model', async () => {
  using model = await publish({ ...given, rerank: reranker() });
  await expectCode('SHAPE_MISMATCH', () => model.retrieve({ embedding: users[0]?.[0] as Float32Array }));
});

test('sizes that do not fit the items are refused', async () => {
  const wrong = (options: Partial<nn.MixtureOfLogitsOptions>) =>
    publish({ ...given, rerank: new nn.MixtureOfLogits({ dims, features, tasks: ['click'], ...options }) });
  await expectCode('SHAPE_MISMATCH', () => wrong({ dims: dims + 1 }));
  await expectCode('SHAPE_MISMATCH', () => wrong({ features: features + 1 }));
});
