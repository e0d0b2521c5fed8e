// Search with a filter as a service: usearch's HNSW, asked for more until enough of what it finds is eligible.
import { Index, MetricKind, ScalarKind } from 'usearch';
import { eligibility, makeTask, type TaskSize } from '../task.js';
import { serveFunnelPart } from './service.js';

const size = JSON.parse(process.argv[2] as string) as TaskSize;
const task = makeTask(size);
const { ids, embeddings } = task.catalogue;
const index = new Index({
  dimensions: size.dims,
  metric: MetricKind.IP,
  quantization: ScalarKind.F32,
  connectivity: 16,
  expansion_add: 128,
  expansion_search: Number(process.argv[3]),
  multi: false,
});
const rows = Array.from(ids, (item) => embeddings.data.subarray(item * size.dims, (item + 1) * size.dims));
index.add(BigUint64Array.from(ids, BigInt), rows, 2);

/** Kept by text, as a service that sees the same filters again would. */
const masks = new Map<string, { mask: Uint8Array; share: number }>();
function maskOf(filter: string) {
  let known = masks.get(filter);
  if (known === undefined) {
    const mask = eligibility(task, filter);
    known = { mask, share: mask.reduce((sum, bit) => sum + bit, 0) / mask.length };
    masks.set(filter, known);
  }
  return known;
}

function search(embedding: Float32Array, filter: string, count: number): number[] {
  const { mask, share } = maskOf(filter);
  for (let asked = Math.min(size.items, Math.ceil((1.2 * count) / share)); ; asked = Math.min(size.items, 2 * asked)) {
    const { keys } = index.search(embedding, asked, 1);
    const found = Array.from(keys, Number).filter((item) => mask[item] === 1);
    if (found.length >= count || asked === size.items) return found.slice(0, count);
  }
}

await serveFunnelPart((app) => {
  app.post<{ Body: { embedding: number[]; filter: string; count: number } }>('/', async ({ body }) => ({
    ids: search(Float32Array.from(body.embedding), body.filter, body.count),
  }));
});
