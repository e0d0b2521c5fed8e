// The measured set: made once from its seed, kept in files that every engine reads.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { writeVecs } from '../../lib/io/vecs.js';
import type { Vectors } from '../../lib/io/vectors.js';

/** Truth is kept to this depth. */
export const K = 100;

/** Random attributes of 50, 10, 1 and 0.1 %; `c10` and `c1`: the items of certain clusters, 10 and 1 %. */
export const FILTERS = ['p50', 'p10', 'p1', 'p01', 'c10', 'c1'] as const;

/** Where a set is. */
export interface SetFiles {
  folder: string;
  items: number;
  dims: number;
  queries: number;
  /** Name and file `<name>.u8`: 1 where the item is eligible. */
  filters: readonly string[];
}

export interface SetSize {
  items: number;
  dims: number;
  clusters: number;
  queries: number;
}

/** Where sets are kept between runs; may be deleted. */
export const SETS_FOLDER = join('build', 'bench-sets');

/**
 * Makes the set in `folder`, or finds it there: `makeCatalogue` with seed 1, unit rows of Gaussian clusters and queries near
 * items, inner product.
 */
export async function standardSet(size: SetSize, folder = SETS_FOLDER): Promise<SetFiles> {
  const { items, dims, queries } = size;
  const name = `${items}x${dims}-${size.clusters}-${queries}`;
  const set = { folder: join(folder, name), items, dims, queries, filters: FILTERS };
  if (existsSync(set.folder)) return set;
  const { embeddings, queries: asked, attributes, clusterOf } = makeCatalogue({ ...size, seed: 1, users: 1 });
  const ofClusters = (share: number) => Uint8Array.from(clusterOf, (cluster) => +(cluster < share * size.clusters));
  const masks: Record<string, Uint8Array> = { c10: ofClusters(0.1), c1: ofClusters(0.01) };
  for (const filter of ['p50', 'p10', 'p1', 'p01'] as const)
    masks[filter] = Uint8Array.from(attributes[filter], Number);
  await writeSet(set.folder, embeddings, asked, masks);
  return set;
}

/** Writes rows, queries, masks and the exact lists of all filters; the folder appears when all of it is there. */
export async function writeSet(
  folder: string,
  items: Vectors,
  queries: Vectors,
  masks: Readonly<Record<string, Uint8Array>>,
  lists = exactLists(items.data, queries.data, items.shape[1], masks),
): Promise<void> {
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await writeVecs(join(partial, 'items.fbin'), { dtype: 'float32', ...items });
  await writeVecs(join(partial, 'queries.fbin'), { dtype: 'float32', ...queries });
  for (const [filter, mask] of Object.entries(masks)) await writeFile(join(partial, `${filter}.u8`), mask);
  for (const [filter, list] of lists) await writeFile(join(partial, `truth-${filter || 'all'}.i32`), list);
  await rename(partial, folder);
}

/** The exact lists of a filter, int32 [queries, K], -1 where fewer are eligible. */
export async function truthOf({ folder }: SetFiles, filter: string): Promise<Int32Array> {
  const bytes = await readFile(join(folder, `truth-${filter || 'all'}.i32`));
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Share of the exact lists that was found, over the first `queries`. */
export function recallOf(found: Int32Array, truth: Int32Array, queries: number): number {
  let hits = 0;
  let wanted = 0;
  for (let query = 0; query < queries; query++) {
    const list = new Set(found.subarray(query * K, (query + 1) * K));
    for (const id of truth.subarray(query * K, (query + 1) * K)) {
      if (id < 0) break;
      wanted++;
      if (list.has(id)) hits++;
    }
  }
  return hits / wanted;
}

/**
 * Inner products in float64 of the float32 values; equal ones by item. One pass over the rows per query, for all filters.
 *
 * @param offsets Added to the scores of the rows: -|x|² / 2 makes the order that of Euclidean distances.
 */
export function exactLists(
  rows: Float32Array,
  queries: Float32Array,
  dims: number,
  masks: Readonly<Record<string, Uint8Array>>,
  offsets?: Float64Array,
): Map<string, Int32Array> {
  const items = rows.length / dims;
  const count = queries.length / dims;
  const filters = [['', undefined] as const, ...Object.entries(masks)];
  const lists = new Map(filters.map(([name]) => [name, new Int32Array(count * K).fill(-1)]));
  const scores = new Float64Array(items);
  for (let query = 0; query < count; query++) {
    const asked = queries.subarray(query * dims, (query + 1) * dims);
    for (let item = 0; item < items; item++) scores[item] = dot(rows, item * dims, asked) + (offsets?.[item] ?? 0);
    for (const [name, mask] of filters) lists.get(name)?.set(best(scores, mask), query * K);
  }
  return lists;
}

function dot(rows: Float32Array, first: number, query: Float32Array): number {
  let a = 0;
  let b = 0;
  for (let dim = 0; dim < query.length; dim += 2) {
    a += (rows[first + dim] as number) * (query[dim] as number);
    b += (rows[first + dim + 1] as number) * (query[dim + 1] as number);
  }
  return a + b;
}

/** Ordinals of the K highest scores among the eligible, best first: those above a bound that rises as better ones are found. */
function best(scores: Float64Array, mask: Uint8Array | undefined): number[] {
  let kept: number[] = [];
  let bound = Number.NEGATIVE_INFINITY;
  const cut = () => {
    kept.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
    kept = kept.slice(0, K);
    if (kept.length === K) bound = scores[kept[K - 1] as number] as number;
  };
  for (let item = 0; item < scores.length; item++) {
    if ((scores[item] as number) <= bound || (mask !== undefined && mask[item] !== 1)) continue;
    if (kept.push(item) === 20 * K) cut();
  }
  cut();
  return kept;
}
