// The suite 'freshness': what a fresh segment costs requests, and how fast updates are, on the seeded synthetic catalogue.
import { publish, type RetrievalModel, type UpsertItems } from 'silverlode';
import type { Catalogue } from '../../lib/data/synthetic.js';
import { standardCatalogue, standardSize } from '../data/standard_set.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

const K = 100;
const BATCH = 64;
const FILTER = 'p10:true';

/** Some items of the catalogue again, under ids from `first` on. */
function itemsAgain(catalogue: Catalogue, from: number, count: number, first: number) {
  const [, dims] = catalogue.embeddings.shape as [number, number];
  const attributes = Object.entries(catalogue.attributes).map(([name, column]) => [
    name,
    Array.from(column as ArrayLike<unknown>).slice(from, from + count),
  ]);
  return {
    ids: Array.from({ length: count }, (_, i) => first + i),
    embeddings: {
      data: catalogue.embeddings.data.slice(from * dims, (from + count) * dims),
      shape: [count, dims] as const,
    },
    attributes: Object.fromEntries(attributes),
    features: { data: new Float32Array(2 * count), shape: [count, 2] as const },
  };
}

async function* requests(
  model: RetrievalModel,
  { queries }: Catalogue,
  dims: number,
  name: string,
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  const query = (i: number) => queries.data.subarray((i % 256) * dims, ((i % 256) + 1) * dims);
  for (const filter of [undefined, FILTER]) {
    const label = `retrieve, ${name}${filter ? ', filtered' : ''}`;
    if (!label.includes(options.filter)) continue;
    let next = 0;
    const single = await measure(() => model.retrieve({ embedding: query(next++), k: K, filter }), options);
    yield { name: label, ...single, figures: {} };
    const filters = filter ? Array<string>(BATCH).fill(filter) : undefined;
    const embeddings = queries.data.subarray(0, BATCH * dims);
    const batch = await measure(() => model.retrieveBatch({ embeddings, count: BATCH, k: K, filters }), options);
    yield { name: `${label}, batch ${BATCH}`, ...batch, figures: { 'req/s': (1000 * BATCH) / batch.medianMs } };
  }
}

async function* updates(
  model: RetrievalModel,
  catalogue: Catalogue,
  name: string,
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  const held = model.freshness().freshItems;
  const singles = Array.from({ length: Math.min(held, 100) }, (_, i) => itemsAgain(catalogue, i, 1, 10_000_000 + i));
  const kinds: Record<string, (i: number) => Promise<unknown>> = {
    // Ids that the segment holds already, so that it keeps its size.
    'upsert 1 item': (i) => model.upsert(singles[i % singles.length] as UpsertItems),
    'updateAttributes 1 item': (i) => model.updateAttributes([10_000_000 + (i % Math.max(1, held))], { p10: [true] }),
    'updateFeatures 100 published items': (i) => {
      const ids = Array.from({ length: 100 }, (_, item) => (i % 100) * 100 + item);
      return model.updateFeatures(ids, { data: new Float32Array(200), shape: [100, 2] });
    },
    'delete 1 item': (i) => model.delete([10_000 + i]),
  };
  for (const [kind, work] of Object.entries(kinds)) {
    const label = `${kind}, ${name}`;
    if (!label.includes(options.filter)) continue;
    let next = 0;
    yield { name: label, ...(await measure(() => work(next++), options)), figures: {} };
  }
}

const suite: Suite = {
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const size = standardSize(options.quick ? 20_000 : 200_000, options.quick, 512);
    const { items, dims } = size;
    const catalogue = standardCatalogue(size);
    await using model = await publish({
      items: {
        ids: Array.from({ length: items }, (_, i) => i),
        embeddings: catalogue.embeddings,
        attributes: { ...catalogue.attributes },
        features: { data: new Float32Array(2 * items), shape: [items, 2], names: ['a', 'b'] },
      },
      index: { clusters: options.quick ? 128 : 'auto', probes: 24 },
    });
    yield* requests(model, catalogue, dims, 'never updated', options);
    for (const fresh of options.quick ? [1, 1000] : [1, 1000, 16_000, 64_000]) {
      for (let first = model.freshness().freshItems; first < fresh; first += 1000) {
        await model.upsert(itemsAgain(catalogue, first, Math.min(1000, fresh - first), 10_000_000 + first));
      }
      yield* requests(model, catalogue, dims, `${fresh} fresh items`, options);
      yield* updates(model, catalogue, `${fresh} fresh items`, options);
    }
    const { freshBytes } = model.freshness();
    const started = performance.now();
    await model.compact();
    yield {
      name: 'compact',
      medianMs: performance.now() - started,
      samples: 1,
      figures: { 'fresh MB': freshBytes / 1e6 },
    };
    yield* requests(model, catalogue, dims, 'compacted', options);
  },
};

export default suite;
