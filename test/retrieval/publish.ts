import { type PublishOptions, publish as publishFully, type RetrievalModel } from 'silverlode';
import { testDevice } from '../support/device.js';

/** Queries that probes are tuned with on a GPU: an emulated one would take minutes for the sample that publish takes. */
const QUERIES = 8;

/** `publish` of the package. */
export function publish(options: PublishOptions): Promise<RetrievalModel> {
  const given = options?.items?.embeddings;
  const plain = given !== undefined && 'data' in given && given.shape.length === 2;
  if (testDevice === 'cpu' || !plain || options.queries !== undefined) return publishFully(options);
  const [items, dims] = given.shape as readonly [number, number];
  const width = dims * (options.rerank?.heads ?? 1);
  const count = Math.min(QUERIES, Math.floor((items * dims) / width));
  const valid = given.data instanceof Float32Array && given.data.length === items * dims && count > 0 && dims > 0;
  return publishFully(
    valid ? { ...options, queries: { data: given.data.slice(0, count * width), shape: [count, width] } } : options,
  );
}
