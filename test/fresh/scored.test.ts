import { nn, type PublishOptions, publish, RetrievalModel, type RetrieveResult } from 'silverlode';
import { describe, expect } from 'vitest';
import type { Random } from '../../lib/data/random.js';
import { answerOf } from '../retrieval/catalogue.js';
import { property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, FIELDS, Mirror } from './mirror.js';
import { randomQuery, toRequest } from './queries.js';

const folder = await tempFolder();
const FIELD_NAMES = new Set<string>(FIELDS.filter(({ name }) => name !== 'season').map(({ name }) => name));

/** What is made of the items; the same for the model that is updated and the one published from scratch. */
const KINDS: Record<string, (random: Random) => Omit<PublishOptions, 'items'>> = {
  'a value formula': () => ({ value: 'score + weight.price * price - if(age > 0, age, 0.5)', weights: { price: 2 } }),
  'int8 rows': () => ({
    rerank: reranker(2),
    value: 'click + weight.price * sigmoid(like) * price',
    weights: { price: 1 },
  }),
  'float16 embeddings': () => ({ rerank: reranker(0), rerankEmbeddings: 'float16', value: 'click - age' }),
  'float32 embeddings and two heads': () => ({ rerank: reranker(2, 2), rerankEmbeddings: 'float32' }),
};

function reranker(features: number, heads = 1): nn.OverArch {
  return new nn.OverArch({ dims: DIMS, features, heads, hidden: [16, 8], tasks: ['click', 'like'] });
}

describe('an updated model equals one published from scratch, also in its float stages', () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    property(name, 2, async (random) => {
      const made = kind(random);
      const heads = made.rerank?.heads ?? 1;
      const options = {
        ...made,
        index: { clusters: 'flat', metric: random.pick(['ip', 'l2'] as const) },
      } satisfies Omit<PublishOptions, 'items'>;
      const mirror = new Mirror({ metric: options.index.metric, biased: false, features: true });
      const ids = Array.from({ length: 300 }, (_, id) => id);
      mirror.apply(mirror.upsert(random, ids.slice(0, 120)));
      let model = await publish({ ...options, items: mirror.published() });
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 12; i++) {
          const update = mirror.randomUpdate(random, ids);
          mirror.apply(update);
          await model.apply(update);
        }
        await using scratch = await publish({ ...options, items: mirror.published() });
        const queries = Array.from({ length: 4 }, () => ({
          ...toRequest(randomQuery(random, ids, FIELD_NAMES, heads)),
          candidates: random.pick([10, 40, 1000]),
          weights: made.weights && { price: random.normal() },
        }));
        const requests = queries.map((query) => ({ ...query, filter: withoutUnknown(query.filter, mirror) }));
        const expected = (await scratch.retrieve(requests)) as RetrieveResult[];
        const found = (await model.retrieve(requests)) as RetrieveResult[];
        expect(found.map(answerOf)).toEqual(expected.map(answerOf));
        if (round === 2) await model.compact();
        if (round === 3) {
          const path = folder.path('model.silverlode');
          await model.save(path);
          await model.close();
          model = await RetrievalModel.load(path);
        }
        expect(((await model.retrieve(requests)) as RetrieveResult[]).map(answerOf)).toEqual(expected.map(answerOf));
      }
      await model.close();
    });
  }
});

/** A catalogue published from scratch takes a field without values for one of strings. */
function withoutUnknown<F>(filter: F, mirror: Mirror): F | undefined {
  const items = [...mirror.items.values()];
  const complete = FIELDS.every((_, f) => items.some(({ attributes }) => (attributes[f]?.length ?? 0) > 0));
  return complete ? filter : undefined;
}
