import {
  compile,
  Module,
  nn,
  ops,
  RetrievalModel,
  type RetrieveResult,
  raggedInput,
  type SymbolicTensor,
  type Tensor,
  type Tower,
} from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { answerOf, randomCatalogue, randomVectors } from './catalogue.js';
import { publish } from './publish.js';

const folder = await tempFolder();

describe('value formula and reranker', async () => {
  const random = new Random(8);
  const items = 600;
  const catalogue = randomCatalogue(random, { items, dims: 12, attributes: true });
  const price = Float32Array.from({ length: items }, (_, i) => i % 50);
  const features = { data: price, shape: [items, 1] as const, names: ['price'] };
  const given = {
    items: {
      ids: Array.from({ length: items }, (_, i) => i),
      embeddings: { data: catalogue.data, shape: [items, 12] as const },
      features,
    },
  };
  const query = catalogue.data.slice(0, 12);

  test('weights are given per request, else their default, else 0', async () => {
    using model = await publish({ ...given, value: 'score + weight.price * price', weights: { price: 10 } });
    const plain = new Map(await scoresOf(model, { price: 0 }));
    for (const weights of [{ price: 3 }, { price: -1 }, undefined]) {
      const weight = weights?.price ?? 10;
      for (const [id, score] of await scoresOf(model, weights)) {
        const expected = Math.fround((plain.get(id) as number) + weight * (price[id as number] as number));
        expect(score).toBe(expected);
      }
    }
  });

  test('value is computed for the best candidates by score alone, however large the batch', async () => {
    using model = await publish({ ...given, value: '-score' });
    const lowest = (await model.retrieve({ embedding: query, k: items })).scores.reverse();
    const requests = [1, 7, 64, 65, 200, 599, 300].map((candidates) => ({ embedding: query, k: 1, candidates }));
    const results = (await model.retrieve(requests)) as RetrieveResult[];
    results.forEach(({ scores, stats }, i) => {
      expect([...scores]).toEqual([lowest[(requests[i]?.candidates as number) - 1]]);
      expect(stats.candidates).toBe(requests[i]?.candidates);
    });
    const raised = await model.retrieve({ embedding: query, k: 20, candidates: 3 });
    expect(raised.stats.candidates).toBe(20);
  });

  test('NaN ranks last, then publish order', async () => {
    using model = await publish({ ...given, value: 'if(price < 10, 0/0, price)' });
    const { ids, scores } = await model.retrieve({ embedding: query, k: items });
    const finite = [...price].filter((p) => p >= 10).length;
    expect([...scores.subarray(0, finite)].every((score) => score >= 10)).toBe(true);
    expect([...scores.subarray(finite)].every(Number.isNaN)).toBe(true);
    expect(ids.slice(finite)).toEqual(given.items.ids.filter((id) => (price[id] as number) < 10));
  });

  test('tasks are in the results, one logit per item, and the first is the score without a formula', async () => {
    const rerank = new nn.OverArch({ dims: 12, features: 1, hidden: [8], tasks: ['click', 'like'] });
    using model = await publish({ ...given, rerank });
    const { ids, scores, tasks } = await model.retrieve({ embedding: query, k: 30 });
    expect(Object.keys(tasks ?? {})).toEqual(['click', 'like']);
    expect(tasks?.click).toEqual(scores);
    expect(tasks?.like).toHaveLength(ids.length);
    expect([...scores].sort((a, b) => b - a)).toEqual([...scores]);
    await expectCode('SHAPE_MISMATCH', () => model.retrieve({ embedding: [query, query] }));
  });

  async function scoresOf(model: Awaited<ReturnType<typeof publish>>, weights?: Record<string, number>) {
    const { ids, scores } = await model.retrieve({ embedding: query, k: items, weights });
    return ids.map((id, i) => [id, scores[i] as number] as const);
  }
});

describe('a tower', () => {
  const random = new Random(9);
  const [items, dims] = [300, 8];
  const data = randomVectors(random, items, dims);
  const given = {
    items: { ids: Array.from({ length: items }, (_, i) => i), embeddings: { data, shape: [items, dims] as const } },
    index: { clusters: 6 },
  };

  class Users extends Module implements Tower {
    readonly inputs = { age: { dtype: 'float32', shape: ['batch', 3] }, seen: raggedInput('int32', 'seen') } as const;
    readonly history = new nn.EmbeddingBag(items, dims, { mode: 'mean' });
    readonly project = new nn.Linear(3 + dims, dims);

    forward({ age, seen }: { age: SymbolicTensor; seen: { values: SymbolicTensor; offsets: SymbolicTensor } }) {
      return this.project.forward(ops.concat([age, this.history.forward(seen.values, seen.offsets)]));
    }
  }

  const users = Array.from({ length: 9 }, (_, i) => ({
    age: [...randomVectors(random, 1, 3)],
    seen: Array.from({ length: i }, () => random.integer(items)),
  }));

  test('answers requests by user, alone and in batches, as by the embedding it gives', async () => {
    const tower = new Users();
    using model = await publish({ ...given, tower });
    const program = await compile(tower, { inputs: tower.inputs });
    const alone: unknown[] = [];
    for (const user of users) {
      const age = Float32Array.from(user.age);
      const output = await program.run({
        age,
        'seen.values': Int32Array.from(user.seen),
        'seen.offsets': Int32Array.of(0),
      });
      const result = answerOf(await model.retrieve({ user, k: 20 }));
      expect(result).toEqual(
        answerOf(await model.retrieve({ embedding: (output as Tensor<'float32'>).view(), k: 20 })),
      );
      alone.push(result);
    }
    expect((await model.retrieve(users.map((user) => ({ user, k: 20 })))).map(answerOf)).toEqual(alone);
  });

  test('reads its inputs before retrieve returns, also those of later runs', async () => {
    const path = folder.path('tower.silverlode');
    using model = await publish({ ...given, tower: new Users() });
    await model.save(path);
    using loaded = await RetrievalModel.load(path, { maxBatch: 2 });
    const requests = () => users.map(({ age, seen }) => ({ user: { age: [...age], seen: [...seen] }, k: 20 }));
    const expected = (await loaded.retrieve(requests())).map(answerOf);
    const changed = requests();
    const answers = loaded.retrieve(changed);
    for (const { user } of changed) {
      user.age.fill(5);
      user.seen.length = 0;
    }
    expect((await answers).map(answerOf)).toEqual(expected);
  });

  test.each([
    ['a missing input', { age: [1, 2, 3] }, 'INVALID_ARGUMENT'],
    ['an unknown input', { age: [1, 2, 3], seen: [], name: [1] }, 'INVALID_ARGUMENT'],
    ['too few numbers', { age: [1, 2], seen: [] }, 'SHAPE_MISMATCH'],
    ['text', { age: 'abc', seen: [] }, 'INVALID_ARGUMENT'],
    ['an id beyond its table', { age: [1, 2, 3], seen: [items] }, 'INVALID_ARGUMENT'],
  ] as const)('refuses %s, for that request alone', async (_, user, code) => {
    using model = await publish({ ...given, tower: new Users() });
    const [good] = users;
    const results = await model.retrieve([{ user: good }, { user: user as never }, { user: good }]);
    expect(results[1]).toMatchObject({ code });
    expect(answerOf(results[0])).toEqual(answerOf(results[2]));
    expect(results[0]).toHaveProperty('ids');
  });
});
