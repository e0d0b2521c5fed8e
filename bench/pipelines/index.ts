// The suite 'pipeline': publish and retrieve on the seeded synthetic catalogue, with recall beside every speed.
import { publish } from 'silverlode';
import { standardCatalogue, standardSize } from '../data/standard_set.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

const K = 100;
const BATCH = 64;
const FILTERS = ['', 'p50:true', 'p10:true', 'p1:true', 'p01:true'];

const suite: Suite = {
  note:
    'Recall is against exhaustive float32 search under the same filter; "int8 recall" is what a search of all clusters reaches, so that the rest ' +
    'is what the int8 rows lose.',
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
    const described = model.describe();
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
      const requests = Array.from({ length: 256 }, (_, i) => ({ embedding: query(i), k: K, filter }));
      const { recall, int8Recall } = await model.measureRecall(requests, { embeddings: catalogue.embeddings });
      const recalls = { 'recall@100': recall, 'int8 recall@100': int8Recall };
      let next = 0;
      const single = await measure(() => model.retrieve({ embedding: query(next++), k: K, filter }), options);
      yield {
        name: `retrieve, ${name}`,
        ...single,
        figures: { ...recalls, 'req/s': 1000 / single.medianMs },
      };
      const batch = await measure(() => {
        next += BATCH;
        return model.retrieve(Array.from({ length: BATCH }, (_, i) => ({ embedding: query(next + i), k: K, filter })));
      }, options);
      yield {
        name: `retrieve x ${BATCH}, ${name}`,
        ...batch,
        figures: { ...recalls, 'req/s': (1000 * BATCH) / batch.medianMs },
      };
    }

    await model.close();
  },
};

export default suite;
