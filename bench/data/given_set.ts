// Sets that are not made here: files by path, or the real data that SILVERLODE_DATA holds.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SilverlodeError } from 'silverlode';
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { Random } from '../../lib/data/random.js';
import { loadSift } from '../../lib/data/sift.js';
import { readVecs } from '../../lib/io/vecs.js';
import { readVectors, type Vectors } from '../../lib/io/vectors.js';
import { readHdf5 } from './hdf5.js';
import { textEmbeddings, wordVectors } from './real_vectors.js';
import { rowsAt } from './rows.js';
import { K, SETS_FOLDER, type SetExtras, type SetFiles, writeSet } from './standard_set.js';

export type Metric = 'ip' | 'cosine' | 'l2';

/** Vectors from elsewhere; `nearest` are the exact lists where the source has them, int32 [queries, depth]. */
export interface GivenVectors {
  items: Vectors;
  queries: Vectors;
  metric: Metric;
  nearest?: { data: Int32Array; depth: number };
}

/** Random attributes of such a set, and attributes of the items that are nearest to one of them; the numbers are shares of its items. */
const RANDOM = { p50: 0.5, p10: 0.1, p1: 0.01, p01: 0.001 } as const;
const NEAREST = { c10: 0.1, c1: 0.01 } as const;
const MOST_QUERIES = 1000;

/**
 * A set in the form of the standard one, with attributes from seed 1 and exact lists that are computed unless the source
 * has them to a depth of 100.
 *
 * @param spec `items[,queries[,truth]]` as `.fbin` `.u8bin` `.i8bin` `.fvecs` `.bvecs` `.npy` `.parquet`, truth `.ivecs` or `.ibin`;
 * an `.hdf5` of ann-benchmarks; `goodbooks` or `sift`; `words`, `sentences` or `cls` of packages, asked for rows that are not part of the
 * set, drawn from seed 1. Without queries the last 1 000 items, at most half of them, are asked for and not part of the set.
 * @param metric Of files; HDF5 files and real sets bring theirs.
 * @throws SilverlodeError `INVALID_ARGUMENT` for another extension or no match of dimensions, `IO_ERROR`, `CORRUPT_FILE`.
 */
export async function givenSet(
  spec: string,
  metric: Metric,
  parent = SETS_FOLDER,
): Promise<{ set: SetFiles; metric: Metric }> {
  const given = await read(spec, metric);
  const { items, queries, nearest } = given;
  const strange = nearest?.data.find((item) => item < 0 || item >= items.shape[0]);
  if (strange !== undefined)
    throw new SilverlodeError('CORRUPT_FILE', `exact lists of ${spec} name item ${strange} of ${items.shape[0]}`);
  if (items.shape[1] !== queries.shape[1])
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `items have ${items.shape[1]} dimensions, queries ${queries.shape[1]}: ${spec}`,
    );
  const folder = join(parent, `${nameOf(spec)}-${given.metric}-v2`);
  const set = {
    folder,
    items: items.shape[0],
    dims: items.shape[1],
    queries: queries.shape[0],
    filters: [] as string[],
  };
  const masks = masksOf(items);
  set.filters = Object.keys(masks);
  if (!existsSync(folder)) await writeSet(folder, items, queries, masks, extrasOf(given));
  return { set, metric: given.metric };
}

async function read(spec: string, metric: Metric): Promise<GivenVectors> {
  if (spec === 'goodbooks') {
    const { itemFactors, userFactors } = await loadGoodbooks();
    return limited({ items: itemFactors, queries: userFactors, metric: 'ip' });
  }
  if (spec === 'sift') {
    const { base, queries, nearest, k } = await loadSift();
    return limited({ items: base, queries, metric: 'l2', nearest: { data: nearest, depth: k } });
  }
  if (spec === 'words') return { ...apart(await wordVectors()), metric: 'ip' };
  if (spec === 'sentences' || spec === 'cls') return { ...apart(await textEmbeddings(spec)), metric: 'ip' };
  if (/\.(hdf5|h5)$/i.test(spec)) return limited(await readHdf5(spec));
  const [itemsPath = '', queriesPath, truthPath] = spec.split(',');
  const items = await readVectors(itemsPath);
  if (queriesPath === undefined) return { ...split(items), metric };
  const queries = await readVectors(queriesPath);
  if (truthPath === undefined) return limited({ items, queries, metric });
  const truth = await readVecs(truthPath);
  const [rows = 0, depth = 0] = truth.shape;
  if (!(truth.data instanceof Int32Array) || rows !== queries.shape[0])
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `${truthPath} must hold int32 lists, one for each of ${queries.shape[0]} queries`,
    );
  return limited({ items, queries, metric, nearest: { data: truth.data, depth } });
}

function firstRows({ data, shape: [rows, dims] }: Vectors, count: number): Vectors {
  const kept = Math.min(rows, count);
  return { data: data.slice(0, kept * dims), shape: [kept, dims] };
}

function limited(given: GivenVectors): GivenVectors {
  return { ...given, queries: firstRows(given.queries, MOST_QUERIES) };
}

/** Some rows as queries, the others in their order as items. */
function apart(all: Vectors): { items: Vectors; queries: Vectors } {
  const order = new Random(1).shuffle(Array.from({ length: all.shape[0] }, (_, row) => row));
  const asked = order.slice(0, MOST_QUERIES);
  const kept = order.slice(MOST_QUERIES).sort((a, b) => a - b);
  return { items: rowsAt(all, kept), queries: rowsAt(all, asked) };
}

/** The last rows as queries. */
function split({ data, shape: [rows, dims] }: Vectors): { items: Vectors; queries: Vectors } {
  const asked = Math.min(MOST_QUERIES, Math.floor(rows / 2));
  const kept = (rows - asked) * dims;
  return {
    items: { data: data.slice(0, kept), shape: [rows - asked, dims] },
    queries: { data: data.slice(kept), shape: [asked, dims] },
  };
}

function masksOf(all: Vectors): Record<string, Uint8Array> {
  const random = new Random(1);
  const [items] = all.shape;
  const drawn = Object.entries(RANDOM).map(([name, share]): [string, Uint8Array] => [
    name,
    Uint8Array.from({ length: items }, () => Number(random.chance(share))),
  ]);
  const products = productsWith(all, random.integer(items));
  const best = products.toSorted((a, b) => b - a);
  const near = Object.entries(NEAREST).map(([name, share]): [string, Uint8Array] => {
    const least = best[Math.floor(share * items)] as number;
    return [name, Uint8Array.from(products, (product) => Number(product > least))];
  });
  return Object.fromEntries([...drawn, ...near]);
}

/** Inner products of all rows with one of them. */
function productsWith({ data, shape: [rows, dims] }: Vectors, centre: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let dim = 0; dim < dims; dim++)
      sum += (data[row * dims + dim] as number) * (data[centre * dims + dim] as number);
    return sum;
  });
}

/** How exact lists come about: by the metric, and the unfiltered ones from the source where it has enough of them. */
function extrasOf({ queries, metric, nearest }: GivenVectors): SetExtras {
  const extras: SetExtras = { metric };
  if (nearest !== undefined && nearest.depth >= K) {
    extras.nearest = new Int32Array(queries.shape[0] * K);
    for (let query = 0; query < queries.shape[0]; query++)
      extras.nearest.set(nearest.data.subarray(query * nearest.depth, query * nearest.depth + K), query * K);
  }
  return extras;
}

/** A folder name that changes with the files. */
function nameOf(spec: string): string {
  const parts = spec.split(',').map((path) => {
    const name = path.replaceAll(/[^A-Za-z0-9.]+/g, '_');
    if (!existsSync(path)) return name;
    const { size, mtimeMs } = statSync(path);
    return `${name}-${size}-${Math.round(mtimeMs)}`;
  });
  return parts.join('+').slice(-200);
}
