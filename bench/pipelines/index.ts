// The suite 'pipeline': publish and retrieve on the seeded synthetic catalogue, with recall beside every speed.
import { publish, type RetrievalModel } from 'silverlode';
import { standardCatalogue, standardSize } from '../data/standard_set.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

const K = 100;
const BATCH = 64;
const FILTERS = ['', 'p50:true', 'p10:true', 'p1:true', 'p01:true'];

/** Share of the exhaustive int8 result that default settings find. */
async function recall(model: RetrievalModel, queries: Float32Array, count: number, filter: string, clusters: number) {
  const request = { embeddings: queries, count, k: K, filters: Array<string>(count).fill(filter) };
  const truth = await model.retrieveBatch({ ...request, probes: clusters });
  const found = await model.retrieveBatch(request);
  let hits = 0;
  for (let q = 0; q < count; q++) {
    const list = new Set<unknown>(
      found.ids.slice(found.offsets[q], found.offsets[q + 1]) as ArrayLike<unknown> as unknown[],
    );
    for (const id of truth.ids.slice(truth.offsets[q], truth.offsets[q + 1])) hits += Number(list.has(id));
  }
  return hits / (truth.offsets.at(-1) as number);
}

const suite: Suite = {
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const standard = options.device === 'cpu' ? 200_000 : 1_000_000;
    const size = standardSize(options.quick ? 20_000 : standard, options.quick, 512);
    const { items, dims } = size;
    const catalogue = standardCatalogue(size);
    const started = performance.now();
    const model = await publish({
      items: { ids: catalogue.ids, embeddings: catalogue.embeddings, attributes: { ...catalogue.attributes } },
      index: { clusters: options.quick ? 128 : 'auto' },
      queries: { data: catalogue.queries.data.subarray(0, 256 * dims), shape: [256, dims] },
      device: options.device,
    });
    const described = model.describe() as { clusters: number; probes: number; bytes: number };
    yield {
      name: `publish ${items} x ${dims}`,
      medianMs: performance.now() - started,
      samples: 1,
      figures: { clusters: described.clusters, probes: described.probes, 'bytes/item': described.bytes / items },
    };

    // Tuned on the first 256 queries, measured on the others.
    const queries = catalogue.queries.data.subarray(256 * dims);
    const query = (i: number) => queries.subarray((i % 256) * dims, ((i % 256) + 1) * dims);
    for (const filter of FILTERS) {
      const name = filter === '' ? 'no filter' : filter;
      if (!`retrieve ${name}`.includes(options.filter)) continue;
      const recallAt100 = await recall(model, queries, 256, filter, described.clusters);
      let next = 0;
      const single = await measure(() => model.retrieve({ embedding: query(next++), k: K, filter }), options);
      yield {
        name: `retrieve, ${name}`,
        ...single,
        figures: { 'recall@100': recallAt100, 'req/s': 1000 / single.medianMs },
      };
      const batch = await measure(() => {
        next += BATCH;
        return model.retrieve(Array.from({ length: BATCH }, (_, i) => ({ embedding: query(next + i), k: K, filter })));
      }, options);
      yield {
        name: `retrieve x ${BATCH}, ${name}`,
        ...batch,
        figures: { 'recall@100': recallAt100, 'req/s': (1000 * BATCH) / batch.medianMs },
      };
    }

    await model.close();
  },
};

export default suite;
