// Scores are finite, whatever the magnitudes: what would leave float32 or float16 is refused by name.
import { Module, nn, type SymbolicTensor, type Tower } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { publish } from './publish.js';

const [ITEMS, DIMS] = [300, 8];
const METRICS = ['ip', 'cosine', 'l2'] as const;
const ids = Int32Array.from({ length: ITEMS }, (_, item) => item);

/** Numbers of either sign, the largest of them `size`. */
function numbers(random: Random, count: number, size: number): Float32Array {
  return Float32Array.from({ length: count }, () => (random.chance(0.5) ? 1 : -1) * (random.chance(0.5) ? size : 1));
}

const catalogue = (random: Random, size: number) => ({
  ids,
  embeddings: { data: numbers(random, ITEMS * DIMS, size), shape: [ITEMS, DIMS] },
});

class Given extends Module implements Tower {
  readonly inputs = { x: { dtype: 'float32', shape: ['batch', DIMS] } } as const;

  forward({ x }: { x: SymbolicTensor }): SymbolicTensor {
    return x;
  }
}

const indexes = METRICS.flatMap((metric) =>
  [false, true].flatMap((rotate) => [false, true].map((rescore) => ({ metric, rotate, rescore, clusters: 4 }))),
);

describe.each(indexes)('$metric, rotate $rotate, rescore $rescore', (index) => {
  test('the largest numbers that are taken give finite scores', async () => {
    const random = new Random(5);
    const bias = index.metric === 'l2' ? undefined : numbers(random, ITEMS, 1e12);
    const given = { ...index, ...(bias && { bias }) };
    const model = await publish({ items: catalogue(random, 1e12), index: given });
    for (const size of [1e-30, 1, 0.99e16]) {
      const embedding = Array.from({ length: 2 }, () => numbers(random, DIMS, size));
      const { scores } = await model.retrieve({ embedding, k: ITEMS });
      expect(scores.length).toBe(ITEMS);
      expect([...scores].filter((score) => !Number.isFinite(score))).toEqual([]);
    }
    await model.close();
  });

  test('what a tower gives too large is refused, and alone in its batch', async () => {
    const random = new Random(7);
    const model = await publish({ items: catalogue(random, 1e3), index, tower: new Given() });
    const user = (size: number) => ({ user: { x: new Float32Array(DIMS).fill(size) }, k: 5 });
    const refusal = { code: 'INVALID_ARGUMENT' };
    for (const size of [1e37, -1e37]) {
      const [before, large, after] = await model.retrieve([user(1), user(size), user(2)]);
      expect([before, after]).toEqual([await model.retrieve(user(1)), await model.retrieve(user(2))]);
      if (index.metric === 'cosine') {
        expect(large).toMatchObject({ ids: (await model.retrieve(user(Math.sign(size)))).ids });
        continue;
      }
      expect(large).toMatchObject(refusal);
      await expect(model.retrieve(user(size))).rejects.toMatchObject(refusal);
    }
    await model.close();
  });
});

test.each([1e-30, 1e-20, 1e-18])('queries are not lost beside items of %d', async (size) => {
  const random = new Random(9);
  const data = Float32Array.from({ length: ITEMS * DIMS }, () => size * (1 + 0.01 * random.normal()));
  const model = await publish({ items: { ids, embeddings: { data, shape: [ITEMS, DIMS] } }, index: { rotate: true } });
  const { ids: found, scores } = await model.retrieve({ embedding: new Float32Array(DIMS).fill(1e15), k: 20 });
  const sums = Array.from(ids, (item) => data.subarray(item * DIMS, (item + 1) * DIMS).reduce((a, b) => a + b, 0));
  const least = sums.toSorted((a, b) => b - a)[39] as number;
  expect(found.filter((item) => (sums[item as number] as number) < least)).toEqual([]);
  expect(scores.every((score) => score > 7e15 * size && score < 9e15 * size)).toBe(true);
  await model.close();
});

describe('float16 rows of a reranker', () => {
  const rerank = () => new nn.OverArch({ dims: DIMS, hidden: [4], tasks: ['click'] });
  const items = (value: number) => {
    const data = new Float32Array(ITEMS * DIMS).fill(1);
    data[3 * DIMS + 2] = value;
    return { ids, embeddings: { data, shape: [ITEMS, DIMS] } };
  };
  const one = (value: number) => ({
    ids: [999],
    embeddings: { data: new Float32Array(DIMS).fill(value), shape: [1, DIMS] },
  });

  test('hold up to 65 504; an item beyond is refused by name, in publish and in updates', async () => {
    const model = await publish({ items: items(65_504), rerank: rerank(), rerankEmbeddings: 'float16' });
    await model.upsert(one(-65_504));
    await expect(model.upsert(one(65_536))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', item: 0, id: 999 });
    const { scores } = await model.retrieve({ embedding: new Float32Array(DIMS).fill(1), k: 10 });
    expect(scores.every(Number.isFinite)).toBe(true);
    await model.close();
    const options = { items: items(-65_536), rerank: rerank(), rerankEmbeddings: 'float16' } as const;
    await expect(publish(options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', item: 3, dimension: 2 });
  });

  test('are no concern of float32 rows', async () => {
    const model = await publish({ items: items(65_536), rerank: rerank(), rerankEmbeddings: 'float32' });
    await model.upsert(one(65_536));
    await model.close();
  });
});
