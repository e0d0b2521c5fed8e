// What is misspelt or makes no sense is refused by name, never ignored.
import {
  compile,
  Module,
  nn,
  ops,
  publish,
  type RetrievalModel,
  type SymbolicTensor,
  type Tower,
  tensor,
} from 'silverlode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDevice } from '../support/device.js';

const DIMS = 4;
const items = {
  ids: ['a', 'b', 'c'],
  embeddings: { data: Float32Array.from({ length: 3 * DIMS }, (_, i) => i % 5), shape: [3, DIMS] as const },
};
const embedding = Float32Array.of(1, 0, 1, 0);

/** Rows of a table, by whole numbers. */
class HistoryTower extends Module implements Tower {
  readonly inputs = { history: { dtype: 'int32', shape: ['batch', 1] } } as const;
  readonly table = new nn.Embedding(10, DIMS);

  forward({ history }: { history: SymbolicTensor }): SymbolicTensor {
    return ops.reshape(nn.call('table', this.table, history), [history.shape[0] as number, DIMS]);
  }
}

let model: RetrievalModel;
let towered: RetrievalModel;
beforeAll(async () => {
  model = await publish({ items });
  towered = await publish({ items, tower: new HistoryTower() });
});
afterAll(() => Promise.all([model.close(), towered.close()]));

const refused = (field: string) => ({ code: 'INVALID_ARGUMENT', field });

describe('requests', () => {
  test('candidates of a model that neither reranks nor values', async () => {
    await expect(model.retrieve({ embedding, candidates: 5 })).rejects.toMatchObject(refused('candidates'));
    const batch = { embeddings: embedding, count: 1, k: 1, candidates: 5 };
    await expect(model.retrieveBatch(batch)).rejects.toMatchObject(refused('candidates'));
  });

  test('ids of another type', async () => {
    await expect(model.retrieve({ embedding, exclude: [1] })).rejects.toMatchObject(refused('exclude'));
    expect(() => model.retrieveSync({ embedding, exclude: [1n] })).toThrow(
      /exclude holds 1: ids of this model are strings/,
    );
  });

  test.each([1.5, 2 ** 31, -(2 ** 31) - 1, Number.NaN, Number.POSITIVE_INFINITY])(
    '%d for an input of whole numbers',
    async (value) => {
      for (const history of [value, [value], Float64Array.of(value)])
        await expect(towered.retrieve({ user: { history } })).rejects.toThrow(
          /user\.history\[0\] is .*, which is no int32/,
        );
      expect((await towered.retrieve({ user: { history: [2] } })).ids).toHaveLength(3);
    },
  );

  test('a deadline counts on every path', async () => {
    const late = { code: 'DEADLINE' };
    await expect(model.profile({ embedding, deadlineMs: 0 })).rejects.toMatchObject(late);
    await expect(model.explain({ embedding, deadlineMs: 0 })).rejects.toMatchObject(late);
    if (testDevice === 'cpu') expect(() => model.retrieveSync({ embedding, deadlineMs: 0 })).toThrow(/deadline/);
    expect(await model.profile({ embedding, deadlineMs: 60_000 })).not.toEqual([]);
    expect(await model.explain({ embedding, deadlineMs: 60_000 })).toMatchObject({ k: 3 });
    const batch = { embeddings: embedding, count: 1, k: 1, deadlineMs: 5 };
    await expect(model.retrieveBatch(batch)).rejects.toMatchObject(refused('deadlineMs'));
  });

  test('options of methods', async () => {
    const unknown = (option: string) => ({ code: 'INVALID_ARGUMENT', option });
    await expect(model.save('x', { trimjournal: true } as never)).rejects.toMatchObject(unknown('trimjournal'));
    await expect(model.compact({ sginal: 1 } as never)).rejects.toMatchObject(unknown('sginal'));
    const none = (async function* () {})();
    await expect(model.follow(none, { onrefused: 1 } as never)).rejects.toMatchObject(unknown('onrefused'));
  });
});

describe('publish', () => {
  test('weights that the formula does not have', async () => {
    const value = 'score + weight.like';
    await expect(publish({ items, value, weights: { like: 1, lik: 2 } })).rejects.toMatchObject(refused('lik'));
    await expect(publish({ items, value, weights: { like: '1' } as never })).rejects.toMatchObject(refused('like'));
    await expect(publish({ items, weights: { like: 1 } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await using published = await publish({ items, value, weights: { like: 1 } });
    expect((await published.retrieve({ embedding })).ids).toHaveLength(3);
  });
});

describe('modules, programs and tensors', () => {
  const typo = { activatoin: 'relu' } as never;
  test.each([
    ['Linear', () => new nn.Linear(2, 2, typo)],
    ['Mlp', () => new nn.Mlp([2, 2], typo)],
    ['EmbeddingBag', () => new nn.EmbeddingBag(2, 2, typo)],
    ['OverArch', () => new nn.OverArch({ dims: 2, hidden: [], tasks: ['a'], ...(typo as object) })],
    ['MixtureOfLogits', () => new nn.MixtureOfLogits({ dims: 2, tasks: ['a'], ...(typo as object) })],
    ['ValueModel', () => new nn.ValueModel('score', typo)],
    [
      'loadStateDict',
      () => new nn.Linear(2, 2).loadStateDict(new Map(), { strikt: false, ...(typo as object) } as never),
    ],
    ['tensor', () => tensor([1], typo)],
  ])('unknown options: %s', (_, make) => {
    expect(make).toThrow(/unknown option '(activatoin|strikt)' in .*known: /);
  });

  test('unknown options of compile', async () => {
    const inputs = { x: { dtype: 'float32', shape: ['batch', 2] } } as const;
    const compiled = compile(new nn.Linear(2, 2), { inputs, maxbatch: 4 } as never);
    await expect(compiled).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', option: 'maxbatch' });
  });

  test('numbers that an integer type does not hold', async () => {
    for (const [value, dtype] of [
      [1.5, 'int32'],
      [2 ** 31, 'int32'],
      [128, 'int8'],
      [-1, 'uint8'],
      [Number.NaN, 'int8'],
    ] as const)
      expect(() => tensor([0, value], { dtype })).toThrow(`data[1] is ${value}, which is no ${dtype}`);
    expect([...(await tensor([-128, 127], { dtype: 'int8' }).read())]).toEqual([-128, 127]);
    const tower = new HistoryTower();
    const program = await compile(tower, { inputs: tower.inputs });
    await expect(program.run({ history: [1.5] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
