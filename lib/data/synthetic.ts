// A catalogue that behaves like a real one: items in clusters, skewed attributes, missing values, users with tastes.
// The same seed gives the same catalogue everywhere; demo, tests and benchmarks share it.

import type { Vectors } from '../io/vectors.js';
import { Random } from './random.js';
import { type CatalogueAttributes, makeAttributes } from './synthetic_attributes.js';

/** Options of {@link makeCatalogue}. */
export interface CatalogueOptions {
  /** How many items, at least one; default 100 000. */
  items?: number;
  /** Dimensions of an embedding; default 64. */
  dims?: number;
  /** How many Gaussian clusters the items come from; default one per 100 items. */
  clusters?: number;
  /** How many query vectors; default 1 000. */
  queries?: number;
  /** How many users with histories; default 64. */
  users?: number;
  /** Default 1. */
  seed?: number;
  /** Length of an item's offset from its cluster centre, whose length is 1; default 1.2: clusters that overlap. */
  noise?: number;
  /** Length of a query's offset from the item it is near to; default 0.5. */
  queryNoise?: number;
}

/** Someone to recommend to. */
export interface CatalogueUser {
  /** Unit vector: the mean of the liked items. */
  readonly embedding: Float32Array;
  /** Ordinals of the items that the user is known to like. */
  readonly liked: readonly number[];
  /** Ordinals of further items of the same taste, to be found again; none of them is in `liked`. */
  readonly heldOut: readonly number[];
}

/** A synthetic catalogue. */
export interface Catalogue {
  readonly seed: number;
  /** 0, 1, 2, …: an id is also the ordinal. */
  readonly ids: Int32Array;
  /** Unit rows. */
  readonly embeddings: Vectors;
  readonly attributes: CatalogueAttributes;
  /** Unit rows, each near some item. */
  readonly queries: Vectors;
  readonly users: readonly CatalogueUser[];
  /** The cluster that each item was drawn from. */
  readonly clusterOf: Int32Array;
}

const LIKED_PER_USER = 20;
const HELD_OUT_PER_USER = 10;

/**
 * Generates a catalogue.
 *
 * An item is a unit cluster centre plus Gaussian noise, scaled to length 1; a query is an item plus noise, scaled
 * likewise. With the default noise, the 100 nearest neighbours of a query (inner product) lie in some dozens of the
 * clusters, as in real embeddings.
 *
 * @param options Sizes and seed; print the seed that was used.
 * @returns Items, attributes, queries and users. 200 000 x 128 takes a few seconds.
 *
 * @example
 * ```ts
 * const { ids, embeddings, attributes, queries } = makeCatalogue({ items: 10_000, seed: 7 });
 * ```
 */
export function makeCatalogue(options: CatalogueOptions = {}): Catalogue {
  const { items = 100_000, dims = 64, queries = 1000, users = 64, seed = 1, noise = 1.2, queryNoise = 0.5 } = options;
  const clusters = options.clusters ?? Math.max(1, Math.round(items / 100));
  const stream = (index: number): Random => new Random(seed + index * 2 ** 32);

  const centres = makeRows(clusters, dims, stream(1), 1);
  const choice = stream(2);
  const clusterOf = Int32Array.from({ length: items }, () => choice.integer(clusters));
  const embeddings = makeRows(items, dims, stream(3), noise, (item) => row(centres, clusterOf[item] as number));
  const near = stream(4);
  return {
    seed,
    ids: Int32Array.from({ length: items }, (_, item) => item),
    embeddings,
    attributes: makeAttributes(clusterOf, clusters, stream(5)),
    queries: makeRows(queries, dims, stream(6), queryNoise, () => row(embeddings, near.integer(items))),
    users: makeUsers(users, embeddings, clusterOf, clusters, stream(7)),
    clusterOf,
  };
}

/** Unit rows: Gaussian noise of the given expected length, around a base row where there is one. */
function makeRows(
  rows: number,
  dims: number,
  random: Random,
  noise: number,
  base?: (index: number) => Float32Array,
): Vectors {
  const data = new Float32Array(rows * dims);
  const deviation = noise / Math.sqrt(dims);
  for (let index = 0; index < rows; index++) {
    const target = data.subarray(index * dims, (index + 1) * dims);
    for (let dim = 0; dim < dims; dim++) target[dim] = deviation * random.normal();
    if (base) add(target, base(index));
    normalise(target);
  }
  return { data, shape: [rows, dims] };
}

function makeUsers(
  count: number,
  embeddings: Vectors,
  clusterOf: Int32Array,
  clusters: number,
  random: Random,
): CatalogueUser[] {
  const members: number[][] = Array.from({ length: clusters }, () => []);
  for (const [item, cluster] of clusterOf.entries()) members[cluster]?.push(item);
  const tastes = members.filter((items) => items.length > 0);
  const [, dims] = embeddings.shape;
  return Array.from({ length: count }, () => {
    const interests = Array.from({ length: 1 + random.integer(3) }, () => random.pick(tastes));
    const chosen = random.shuffle([...new Set(interests.flat())]).slice(0, LIKED_PER_USER + HELD_OUT_PER_USER);
    const heldOut = chosen.splice(0, Math.floor(chosen.length / 3));
    const embedding = new Float32Array(dims);
    for (const item of chosen) add(embedding, row(embeddings, item));
    normalise(embedding);
    return { embedding, liked: chosen, heldOut };
  });
}

function row({ data, shape: [, dims] }: Vectors, index: number): Float32Array {
  return data.subarray(index * dims, (index + 1) * dims);
}

function add(target: Float32Array, other: Float32Array): void {
  for (let dim = 0; dim < target.length; dim++) target[dim] = (target[dim] as number) + (other[dim] as number);
}

/** Scales to length 1; a zero vector stays as it is. */
function normalise(vector: Float32Array): void {
  let square = 0;
  for (let dim = 0; dim < vector.length; dim++) square += (vector[dim] as number) ** 2;
  if (square === 0) return;
  const scale = 1 / Math.sqrt(square);
  for (let dim = 0; dim < vector.length; dim++) vector[dim] = (vector[dim] as number) * scale;
}
