// What recall is measured on: seeded sets, real factors, word vectors, text embeddings and descriptors.
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { Random } from '../../lib/data/random.js';
import { loadSift } from '../../lib/data/sift.js';
import type { Vectors } from '../../lib/io/vectors.js';
import type { Metric } from '../data/given_set.js';
import { textEmbeddings, wordVectors } from '../data/real_vectors.js';
import { drawnRows, rowsAt, toUnit } from '../data/rows.js';
import { standardCatalogue, standardSize } from '../data/standard_set.js';

/** Vectors and queries of one kind, and groups of items that lie together. */
export interface RecallSet {
  items: Vectors;
  queries: Vectors;
  /** By item, from 0 without a gap. */
  groups: Int32Array;
  /** The metric that the vectors are meant for comes first. */
  metrics: readonly Metric[];
  /** Asked only what tells most. */
  brief?: boolean;
  /** Added to the scores. */
  bias?: Float32Array;
  /** Items that are published; the others come as updates, which are folded in where `compacted`. */
  published?: number;
  compacted?: boolean;
}

/** How large a set is wanted. */
export interface SetLimits {
  items: number;
  queries: number;
}

type Make = (limits: SetLimits) => Promise<RecallSet>;

/** Groups of sets that have none of their own: the items nearest to as many of them. */
const PIVOTS = 500;

export const SETS: Readonly<Record<string, Make>> = {
  tight: async ({ queries }) => tightGroups(queries),
  gaussian: async ({ queries }) => {
    const set = standardCatalogue(standardSize(200_000, false, queries));
    return { items: set.embeddings, queries: set.queries, groups: set.clusterOf, metrics: ['ip'] };
  },
  goodbooks: async (limits) => {
    const { itemFactors, userFactors } = await loadGoodbooks();
    const queries = drawnRows(userFactors, limits.queries, new Random(2));
    return { items: itemFactors, queries, groups: nearestPivot(itemFactors), metrics: ['ip', 'cosine', 'l2'] };
  },
  words: async (limits) => apart(await wordVectors(), limits),
  sentences: async (limits) => apart(await textEmbeddings('sentences'), limits),
  cls: async (limits) => apart(await textEmbeddings('cls'), limits, ['ip', 'cosine', 'l2']),
  sift: async (limits) => {
    const { base, queries } = await loadSift();
    const some = rowsAt(
      queries,
      Array.from({ length: limits.queries }, (_, row) => row),
    );
    return { items: base, queries: some, groups: nearestPivot(base), metrics: ['l2', 'ip'] };
  },
  mean: async ({ queries }) => shifted(tightGroups(queries), (dim) => (dim % 2 === 0 ? 1.2 : -1.2)),
  outlier: async ({ queries }) => shifted(tightGroups(queries), (dim) => (dim === 7 ? 4 : 0)),
  zeros: async ({ queries }) => withZeros(tightGroups(queries)),
  promoted: async ({ queries }) => promoted(tightGroups(queries)),
  fresh: async ({ queries }) => withNewGroups(queries),
  compacted: async ({ queries }) => ({ ...withNewGroups(queries), compacted: true }),
};

/** The same for all rows and queries added, as language models have it: a common mean, or one dimension far from 0. */
function shifted(set: RecallSet, by: (dim: number) => number): RecallSet {
  const moved = ({ data, shape }: Vectors): Vectors => ({
    data: data.map((value, at) => value + by(at % shape[1])),
    shape,
  });
  return { ...set, items: moved(set.items), queries: moved(set.queries), metrics: ['ip', 'cosine', 'l2'], brief: true };
}

/** Every twentieth item is a zero vector. */
function withZeros(set: RecallSet): RecallSet {
  const dims = set.items.shape[1];
  const data = set.items.data.map((value, at) => (Math.floor(at / dims) % 20 === 0 ? 0 : value));
  return { ...set, items: { ...set.items, data }, metrics: ['ip'], brief: true };
}

/** Twenty items that are above all others for almost everyone. */
function promoted(set: RecallSet): RecallSet {
  const bias = Float32Array.from({ length: set.items.shape[0] }, (_, item) => (item % 3000 === 7 ? 2 : 0));
  return { ...set, bias, metrics: ['ip'], brief: true };
}

/** 3 000 items in 25 groups of their own come as updates; every second query is near those. */
function withNewGroups(queries: number): RecallSet {
  const { items, groups, queries: asked } = tightGroups(queries, 525);
  const known = (group: number) => group < 500;
  const order = Array.from(groups.keys());
  const sorted = [
    ...order.filter((item) => known(groups[item] as number)),
    ...order.filter((item) => !known(groups[item] as number)),
  ];
  return {
    items: rowsAt(items, sorted),
    queries: asked,
    groups: Int32Array.from(sorted, (item) => groups[item] as number),
    metrics: ['ip'],
    brief: true,
    published: groups.filter(known).length,
  };
}

/**
 * Unit rows in groups of 120, of which each is narrower than the way to the next; queries are drawn like items. Of more than
 * 500 groups, every second query is near the further ones.
 */
function tightGroups(queries: number, groups = 500): RecallSet {
  const [items, dims, spread] = [groups * 120, 64, 0.7];
  const random = new Random(11);
  const centres = Float32Array.from({ length: groups * dims }, () => random.normal());
  const draw = (of: Int32Array): Vectors => {
    const rows = of.length;
    const data = new Float32Array(rows * dims);
    for (let at = 0; at < data.length; at++) {
      const row = Math.floor(at / dims);
      data[at] = (centres[(of[row] as number) * dims + (at % dims)] as number) + spread * random.normal();
    }
    for (let row = 0; row < rows; row++) toUnit(data.subarray(row * dims, (row + 1) * dims));
    return { data, shape: [rows, dims] };
  };
  const of = Int32Array.from({ length: items }, () => random.integer(groups));
  const made = draw(of);
  const near = Int32Array.from({ length: queries }, (_, query) =>
    groups > 500 && query % 2 === 0 ? 500 + random.integer(groups - 500) : random.integer(groups),
  );
  return { items: made, queries: draw(near), groups: of, metrics: ['ip', 'cosine', 'l2'] };
}

/** A set of some rows, asked for others of them, by a fixed seed. */
function apart(all: Vectors, limits: SetLimits, metrics: readonly Metric[] = ['ip']): RecallSet {
  const [rows] = all.shape;
  const order = new Random(3).shuffle(Array.from({ length: rows }, (_, row) => row));
  const asked = order.slice(0, limits.queries);
  const kept = order.slice(limits.queries, limits.queries + limits.items).sort((a, b) => a - b);
  const items = rowsAt(all, kept);
  return { items, queries: rowsAt(all, asked), groups: nearestPivot(items), metrics };
}

/** The nearest of some rows by Euclidean distance, for every row. */
function nearestPivot(items: Vectors): Int32Array {
  const [rows, dims] = items.shape;
  const pivots = drawnRows(items, PIVOTS, new Random(4)).data;
  const halfSquare = Float64Array.from({ length: PIVOTS }, (_, pivot) => squared(pivots, pivot, dims) / 2);
  const nearest = Int32Array.from({ length: rows }, (_, row) => {
    let [best, bestScore] = [0, Number.NEGATIVE_INFINITY];
    for (let pivot = 0; pivot < PIVOTS; pivot++) {
      let score = -(halfSquare[pivot] as number);
      for (let dim = 0; dim < dims; dim++)
        score += (items.data[row * dims + dim] as number) * (pivots[pivot * dims + dim] as number);
      if (score > bestScore) [best, bestScore] = [pivot, score];
    }
    return best;
  });
  const used = new Map([...new Set(nearest)].map((pivot, group) => [pivot, group]));
  return nearest.map((pivot) => used.get(pivot) as number);
}

function squared(data: Float32Array, row: number, dims: number): number {
  let sum = 0;
  for (let at = row * dims; at < (row + 1) * dims; at++) sum += (data[at] as number) ** 2;
  return sum;
}
