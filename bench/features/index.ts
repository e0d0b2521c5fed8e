// The suite 'features': what each thing that a request may ask for costs, beside the same request without it.
import { publish, type RetrieveRequest } from 'silverlode';
import { standardCatalogue, standardSize } from '../data/standard_set.js';
import { alternate, type BenchOptions, type BenchResult, type Suite, timed } from '../support/suite.js';

const BRANDS = 500;
const every = (step: number) => Array.from({ length: 1000 }, (_, i) => step * i);

/** What is added to `k: 20` by embedding. */
const FEATURES: Readonly<Record<string, Partial<RetrieveRequest>>> = {
  plain: {},
  'plain again': {},
  'a page (depth 1 000)': { offset: 0 },
  'groups over 1 000': { groups: { field: 'brand', limit: 1 } },
  'a boost over 1 000': { boost: [{ filter: 'brand:b7 OR brand:b8', factor: 2 }] },
  'mmr over 1 000': { diversity: { mmr: 0.7 } },
  'select 1 attribute': { select: ['brand'] },
  'rank 1 000 ids': { rank: every(7) },
  'allow 1 000 ids': { allow: every(7) },
};

const suite: Suite = {
  note:
    'One request at a time by retrieveSync on one compute thread, all in turns; "over us" is the median minus that of "plain". Groups, boosts and ' +
    'mmr are arranged on the calling thread, from a list of 1 000 that the run gives.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const size = standardSize(options.quick ? 5000 : 100_000, true, 256);
    const { ids, embeddings, queries, attributes } = standardCatalogue(size);
    const brand = Array.from(ids, (_, i) => `b${i % BRANDS}`);
    const items = { ids, embeddings, attributes: { ...attributes, brand } };
    await using model = await publish({ items, threads: 1, device: 'cpu' });
    let next = 0;
    const query = () => {
      const first = (next++ % size.queries) * size.dims;
      return queries.data.subarray(first, first + size.dims);
    };
    const ask = (feature: Partial<RetrieveRequest>) => async () =>
      model.retrieveSync({ ...feature, embedding: query(), k: feature.rank ? 1000 : 20 });
    const like = async () => model.retrieveSync({ like: [next++ % 1000, 2000, 3000], k: 20 });
    const sides: Record<string, () => Promise<number>> = { 'like 3 items': timed(like) };
    for (const [name, feature] of Object.entries(FEATURES)) sides[name] = timed(ask(feature));
    const measured = await alternate(sides, options);
    const plain = measured.plain?.medianMs as number;
    for (const [name, each] of Object.entries(measured)) {
      yield { name: `${name}, k 20 of ${size.items}`, ...each, figures: { 'over us': 1000 * (each.medianMs - plain) } };
    }
  },
};

export default suite;
