// The measured set: made once from its seed, kept in files that every engine reads.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalogue, makeCatalogue } from '../../lib/data/synthetic.js';
import { writeVecs } from '../../lib/io/vecs.js';
import type { Vectors } from '../../lib/io/vectors.js';
import { exactNeighbours } from './exact.js';
import type { Metric } from './given_set.js';

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

/** The seed of all synthetic sets. */
const SEED = 1;

/**
 * Rows, dimensions and clusters of the standard set: 128 dimensions and a cluster for every 100 items, half the dimensions for a
 * quick look.
 */
export function standardSize(items: number, quick: boolean, queries: number): SetSize {
  return { items, dims: quick ? 64 : 128, clusters: Math.max(1, Math.round(items / 100)), queries };
}

/** The catalogue that the set is made of, with all of its attributes: unit rows of Gaussian clusters, queries near items. */
export function standardCatalogue(size: SetSize): Catalogue {
  return makeCatalogue({ ...size, seed: SEED, users: 0 });
}

/** Where sets are kept between runs; may be deleted. */
export const SETS_FOLDER = join('build', 'bench-sets');

/** Makes the set in `folder`, or finds it there; scores are inner products. */
export async function standardSet(size: SetSize, folder = SETS_FOLDER): Promise<SetFiles> {
  const { items, dims, queries } = size;
  const name = `${items}x${dims}-${size.clusters}-${queries}`;
  const set = { folder: join(folder, name), items, dims, queries, filters: FILTERS };
  if (existsSync(set.folder)) return set;
  const { embeddings, queries: asked, attributes, clusterOf } = standardCatalogue(size);
  const ofClusters = (share: number) => Uint8Array.from(clusterOf, (cluster) => +(cluster < share * size.clusters));
  const masks: Record<string, Uint8Array> = { c10: ofClusters(0.1), c1: ofClusters(0.01) };
  for (const filter of ['p50', 'p10', 'p1', 'p01'] as const)
    masks[filter] = Uint8Array.from(attributes[filter], Number);
  await writeSet(set.folder, embeddings, asked, masks);
  return set;
}

/** What else a set may bring along. */
export interface SetExtras {
  /** Default: inner products. */
  metric?: Metric;
  /** Unfiltered exact lists that are known already, int32 [queries, K]. */
  nearest?: Int32Array;
}

/** Writes rows, queries, masks and the exact lists of all filters; the folder appears when all of it is there. */
export async function writeSet(
  folder: string,
  items: Vectors,
  queries: Vectors,
  masks: Readonly<Record<string, Uint8Array>>,
  { metric, nearest }: SetExtras = {},
): Promise<void> {
  const partial = `${folder}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await writeVecs(join(partial, 'items.fbin'), { dtype: 'float32', ...items });
  await writeVecs(join(partial, 'queries.fbin'), { dtype: 'float32', ...queries });
  const all = nearest ?? (await exactNeighbours(items, queries, K, { metric }));
  await writeFile(join(partial, truthFile('')), all);
  for (const [filter, mask] of Object.entries(masks)) {
    const eligible = Int32Array.from(mask.keys()).filter((item) => mask[item] === 1);
    await writeFile(join(partial, `${filter}.u8`), mask);
    await writeFile(join(partial, truthFile(filter)), await exactNeighbours(items, queries, K, { metric, eligible }));
  }
  await rename(partial, folder).catch(async (error: unknown) => {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // else another process made the same set meanwhile
  });
}

const truthFile = (filter: string): string => `truth-${filter || 'all'}.i32`;

/** The exact lists of a filter, int32 [queries, K], -1 where fewer are eligible. */
export async function truthOf({ folder }: SetFiles, filter: string): Promise<Int32Array> {
  const bytes = await readFile(join(folder, truthFile(filter)));
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/**
 * Share of the exact lists that was found, over the first `queries`.
 *
 * @param found int32 [queries, K], -1 where a list is shorter.
 * @param depth How many of each exact list count.
 * @param score With it an item counts that scores at least as much as the last of the list, whichever it is: for sets with equal scores.
 */
export function recallOf(
  found: Int32Array,
  truth: Int32Array,
  queries: number,
  depth = K,
  score?: (query: number, item: number) => number,
): number {
  let hits = 0;
  let wanted = 0;
  for (let query = 0; query < queries; query++) {
    const exact = truth.subarray(query * K, query * K + depth).filter((id) => id >= 0);
    const list = new Set(found.subarray(query * K, (query + 1) * K).filter((id) => id >= 0));
    const least = score && exact.reduce((lowest, id) => Math.min(lowest, score(query, id)), Number.POSITIVE_INFINITY);
    wanted += exact.length;
    hits +=
      score === undefined
        ? exact.filter((id) => list.has(id)).length
        : Math.min(exact.length, [...list].filter((id) => score(query, id) >= (least as number)).length);
  }
  return wanted === 0 ? 1 : hits / wanted;
}
