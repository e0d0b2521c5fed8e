import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { property } from '../support/ops.js';
import {
  answerOf,
  expectAnswer,
  publishCatalogue,
  ReferenceRetrieval,
  randomCatalogue,
  randomRequest,
} from './catalogue.js';

const METRICS = ['ip', 'cosine', 'l2'] as const;

describe('flat mode equals the reference exactly, ids and scores', () => {
  for (const dims of [1, 33, 64, 3072]) {
    for (const metric of METRICS) {
      for (const bias of [false, true]) {
        test(`${metric}, ${dims} dimensions${bias ? ', with item priors' : ''}`, async () => {
          const random = new Random(dims + Number(bias));
          const items = dims > 1000 ? 120 : 700;
          const catalogue = randomCatalogue(random, { items, dims, metric, bias, attributes: true });
          const reference = new ReferenceRetrieval(catalogue);
          using model = await publishCatalogue(catalogue, { index: { clusters: 'flat' } });
          for (const heads of [1, 2, 3, 5]) {
            const requests = Array.from({ length: 4 }, () => randomRequest(random, catalogue, heads));
            const results = await model.retrieve(requests.map(({ given }) => given));
            results.forEach((result, i) => {
              expectAnswer(result as never, reference, (requests[i] as (typeof requests)[0]).reference);
            });
          }
        });
      }
    }
  }

  test('zero queries give every item the same score, in publish order', async () => {
    const catalogue = randomCatalogue(new Random(3), { items: 200, dims: 8 });
    using model = await publishCatalogue(catalogue);
    const { ids, scores } = await model.retrieve({ embedding: new Float32Array(8), k: 50 });
    expect(ids).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(scores.every((score) => Object.is(score, 0))).toBe(true);
  });

  test('an item found by several heads appears once, with its best score', async () => {
    const catalogue = randomCatalogue(new Random(4), { items: 300, dims: 16 });
    using model = await publishCatalogue(catalogue);
    const head = catalogue.data.slice(0, 16);
    const twice = await model.retrieve({ embedding: [head, head], k: 300 });
    expect(answerOf(twice)).toEqual(answerOf(await model.retrieve({ embedding: head, k: 300 })));
    const scaled = await model.retrieve({ embedding: [head, head.map((x) => 2 * x)], k: 1 });
    expect(scaled.scores).toEqual((await model.retrieve({ embedding: head.map((x) => 2 * x), k: 1 })).scores);
  });
});

property('flat mode equals the reference for random catalogues and requests', 6, async (random) => {
  const metric = random.pick(METRICS);
  const options = { items: 1 + random.integer(400), dims: 1 + random.integer(70), metric, bias: random.chance(0.5) };
  const catalogue = randomCatalogue(random, { ...options, attributes: true });
  const reference = new ReferenceRetrieval(catalogue);
  using model = await publishCatalogue(catalogue, { index: { clusters: 'flat' } });
  for (let i = 0; i < 20; i++) {
    const request = randomRequest(random, catalogue, 1 + random.integer(3));
    const result = await model.retrieve(request.given);
    expectAnswer(result, reference, request.reference);
    const eligible = reference.eligible(request.reference).length;
    expect(result.stats).toMatchObject({ strategy: 'flat', probedClusters: 1, exact: true, eligibleRows: eligible });
    expect(result.ids.length).toBe(Math.min(request.reference.k, eligible));
  }
});
