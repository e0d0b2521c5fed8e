import { publish } from 'silverlode';
import { afterAll, describe, expect, test } from 'vitest';
import { measure, questionsOf } from '../../bench/recall/ask.js';
import { catalogueOf } from '../../bench/recall/cases.js';
import { judge, summary } from '../../bench/recall/judge.js';
import type { RecallSet } from '../../bench/recall/sets.js';
import { Random } from '../../lib/data/random.js';
import { Truth } from '../../lib/index/truth.js';

const [items, dims, queries] = [1200, 12, 6];
const random = new Random(8);
const rows = (count: number) => ({
  data: Float32Array.from({ length: count * dims }, () => random.normal()),
  shape: [count, dims] as const,
});
const set: RecallSet = {
  items: rows(items),
  queries: rows(queries),
  groups: Int32Array.from({ length: items }, (_, item) => item % 40),
  metrics: ['ip'],
};

describe('cases of recall', async () => {
  const { attributes, cases } = catalogueOf(set);
  const truth = new Truth(set.items, 'ip');
  const ids = Int32Array.from({ length: items }, (_, item) => item);
  const model = await publish({ items: { ids, embeddings: set.items, attributes } });
  const few = await publish({ items: { ids, embeddings: set.items, attributes }, index: { clusters: 60, probes: 1 } });
  afterAll(async () => {
    for (const each of [model, few]) await each.close();
  });

  test.each(cases.map((each) => [each.name, each] as const))(
    '%s: the filter lets through what the truth does',
    async (_, each) => {
      const questions = (await questionsOf(set, truth, [each])).get(each) ?? [];
      expect(questions).toHaveLength(queries);
      const { figures } = await measure(model, each, questions);
      expect(figures).toMatchObject({ violations: 0, missing: 0, clusters: 1 });
      for (const [name, figure] of Object.entries(figures)) {
        // A flat index is the exhaustive int8 search, which loses a little in where a list ends.
        if (name.startsWith('recall@'))
          expect(figure, name).toBeCloseTo(figures[name.replace('recall', 'int8')] as number, 12);
        if (name.startsWith('recall@')) expect(figure, name).toBeGreaterThan(0.8);
      }
      const worse = (await measure(few, each, questions)).figures;
      expect(worse).toMatchObject({ violations: 0, missing: 0, clusters: 60 });
    },
  );

  test('the attributes hold what the cases are called after', () => {
    const share = (column: Int32Array, value: (entry: number) => boolean) => column.filter(value).length / items;
    expect(share(attributes.draw as Int32Array, (draw) => draw < 5000)).toBeCloseTo(0.5, 1);
    const names = Object.keys(attributes).filter((name) => /^d\d/.test(name));
    expect(names).toHaveLength(8);
    for (const name of names) {
      const [dim, column] = [Number(name.slice(1)), attributes[name] as Int32Array];
      expect(share(column, (fifth) => fifth === 4)).toBeCloseTo(0.2, 2);
      const at = (item: number) => set.items.data[item * dims + dim] as number;
      const top = [...ids].filter((item) => column[item] === 4).map(at);
      const others = [...ids].filter((item) => column[item] !== 4).map(at);
      expect(Math.min(...top)).toBeGreaterThanOrEqual(Math.max(...others));
    }
  });

  test('a list is judged by what may come back', async () => {
    const all = cases.find(({ name }) => name === 'top 10') as (typeof cases)[number];
    const [question] = (await questionsOf(set, truth, [all])).get(all) ?? [];
    const { limits, want, score } = question as NonNullable<typeof question>;
    const best = [...want.list.rows];
    expect(judge(best, all, limits, want, score)).toEqual({ recalls: [1], held: [1], violations: 0, missing: 0 });
    expect(judge(best.slice(1), all, limits, want, score)).toEqual({
      recalls: [0.9],
      held: [0.9],
      violations: 0,
      missing: 1,
    });
    const hundred = cases.find(({ name }) => name === 'top 100') as (typeof cases)[number];
    const [longer] = (await questionsOf(set, truth, [hundred])).get(hundred) ?? [];
    const turned = [...(longer?.want.list.rows ?? [])].reverse();
    expect(judge(turned, hundred, limits, (longer as NonNullable<typeof longer>).want, score)).toEqual({
      recalls: [0, 1],
      held: [1, 1],
      violations: 0,
      missing: 0,
    });
    const barred = { allows: (item: number) => item !== best[0] };
    expect(judge(best, all, barred, want, score)).toEqual({ recalls: [0.9], held: [0.9], violations: 1, missing: 0 });
  });
});

test('a summary tells the mean, the query at the end of the worst tenth, and the mean of that tenth', () => {
  const recalls = Array.from({ length: 20 }, (_, i) => (i < 3 ? i / 10 : 1));
  expect(summary(recalls)).toEqual({
    mean: expect.closeTo(17.3 / 20, 12),
    tenth: 0.2,
    worst: expect.closeTo(0.05, 12),
  });
  expect(summary([0.5])).toEqual({ mean: 0.5, tenth: 0.5, worst: 0.5 });
});
