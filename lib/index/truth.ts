// The truth that recall is measured against: every row scored from the float32 numbers that were given.

import type { Metric } from '../ops/ivf_probe.js';
import { linear } from '../ops/linear.js';
import { topK } from '../ops/top_k.js';
import { tensor } from '../tensor/tensor.js';
import { breathe, inPieces, PIECE_NUMBERS } from './progress.js';

/** Float32 rows as `publish` takes embeddings. */
export interface Vectors {
  readonly data: Float32Array;
  readonly shape: readonly [rows: number, dims: number];
}

/** Embeddings of one user, float32 [dims] each; an item's score is its best over them. */
export type Heads = readonly Float32Array[];

/** The best rows of one query: score descending, then row ascending. Fewer than asked for only where fewer are eligible. */
export interface TrueList {
  rows: Int32Array;
  /** float64, in the model's terms: inner product, cosine or negative squared distance, plus the row's bias. */
  scores: Float64Array;
}

/** What `trueLists` takes besides rows and queries. */
export interface TrueListOptions {
  /** Length of the lists. */
  depth: number;
  /** The only rows that count, ascending; default: all. */
  eligible?: Int32Array;
  /** Told how many rows of how many were scored, over all queries; may throw to stop. */
  onRows?: (done: number, total: number) => void;
}

/** Rows scored at a time, for as many embeddings as below: 32 MiB of scores. */
const BLOCK_ROWS = 8192;
const BLOCK_EMBEDDINGS = 1024;
/** Entries beyond the depth that float32 scores choose and float64 scores order: more than such scores can mistake, but for ties. */
const MARGIN = 64;

/** Float32 rows and how they are scored. */
export class Truth {
  /** float64 [rows]: one over the lengths of the rows, 0 for a zero row; only of cosines. */
  readonly #scales: Float64Array | undefined;

  /** @param bias Added to the scores, one per row. */
  constructor(
    readonly rows: Vectors,
    readonly metric: Metric,
    readonly bias?: ArrayLike<number>,
  ) {
    const { data, shape } = rows;
    if (metric !== 'cosine') return;
    this.#scales = Float64Array.from({ length: shape[0] }, (_, row) => {
      const length = Math.sqrt(squared(data, row * shape[1], shape[1]));
      return length === 0 ? 0 : 1 / length;
    });
  }

  /** Scores of single rows in float64. Of cosines, that of a zero row or query is 0. */
  scorer(heads: Heads): (row: number) => number {
    const { data, shape } = this.rows;
    const dims = shape[1];
    const queries = heads.map((head) => this.#query(head));
    const sum = this.metric === 'l2' ? negativeDistance : product;
    return (row) => {
      let best = Number.NEGATIVE_INFINITY;
      for (const query of queries) best = Math.max(best, sum(data, row * dims, query));
      return best * (this.#scales?.[row] ?? 1) + (this.bias?.[row] ?? 0);
    };
  }

  /**
   * The best rows of every query. Float32 products choose some more rows than are wanted, which float64 then orders: a row is
   * missing only where more than `MARGIN` others at the end of a list score the same as far as float32 can tell.
   *
   * Rows are centred first, since what they have in common orders nothing and costs digits.
   */
  async lists(queries: readonly Heads[], { depth, eligible, onRows }: TrueListOptions): Promise<TrueList[]> {
    const lists: TrueList[] = [];
    const total = eligible?.length ?? this.rows.shape[0];
    const most = queries.reduce((heads, query) => Math.max(heads, query.length), 1);
    const step = Math.max(1, Math.floor(BLOCK_EMBEDDINGS / most));
    const mean = await this.#mean();
    for (let query = 0; query < queries.length; query += step) {
      const some = queries.slice(query, query + step);
      const flat = some.flat();
      const best = new BestRows(flat.length, Math.min(depth + MARGIN, total));
      const asked = this.#embeddings(flat, mean);
      for (let first = 0; first < total; first += BLOCK_ROWS) {
        onRows?.(query * total + first * some.length, queries.length * total);
        const block = this.#block(first, Math.min(BLOCK_ROWS, total - first), eligible, mean);
        const scores = await linear(asked, block.rows, { bias: block.offsets });
        const top = await topK(scores, { k: Math.min(best.k, block.ordinals.length) });
        best.merge(top.scores.view() as Float32Array, top.positions.view() as Int32Array, block.ordinals);
        for (const made of [block.rows, block.offsets, scores, ...Object.values(top)]) made.dispose();
      }
      asked.dispose();
      let embedding = 0;
      for (const heads of some) {
        lists.push(this.#ordered(heads, best.rowsOf(embedding, heads.length), depth));
        embedding += heads.length;
        await breathe();
      }
    }
    return lists;
  }

  #ordered(heads: Heads, rows: Iterable<number>, depth: number): TrueList {
    const score = this.scorer(heads);
    const scored = Array.from(rows, (row) => ({ row, score: score(row) }));
    scored.sort((a, b) => b.score - a.score || a.row - b.row).splice(depth);
    return {
      rows: Int32Array.from(scored, ({ row }) => row),
      scores: Float64Array.from(scored, (entry) => entry.score),
    };
  }

  #query(head: Float32Array): Float64Array {
    const length = this.metric === 'cosine' ? Math.sqrt(squared(head, 0, head.length)) || 1 : 1;
    return Float64Array.from(head, (value) => value / length);
  }

  /** Queries as one matrix. Distances are between centred vectors; a product with a mean orders no rows, so they stay as they are. */
  #embeddings(heads: Heads, mean: Float64Array) {
    const dims = mean.length;
    const values = new Float32Array(heads.length * dims);
    for (const [place, head] of heads.entries()) {
      const query = this.#query(head);
      values.set(this.metric === 'l2' ? query.map((value, dim) => value - (mean[dim] as number)) : query, place * dims);
    }
    return tensor(values, { shape: [heads.length, dims] });
  }

  /** Some of the eligible rows as they are scored, centred, and what is added to their products to give the order of scores. */
  #block(first: number, count: number, eligible: Int32Array | undefined, mean: Float64Array) {
    const dims = mean.length;
    const ordinals =
      eligible?.subarray(first, first + count) ?? Int32Array.from({ length: count }, (_, i) => first + i);
    const values = new Float32Array(count * dims);
    const offsets = new Float32Array(count);
    for (const [place, row] of ordinals.entries()) {
      const scale = this.#scales?.[row] ?? 1;
      const [from, to] = [row * dims, place * dims];
      for (let dim = 0; dim < dims; dim++)
        values[to + dim] = (this.rows.data[from + dim] as number) * scale - (mean[dim] as number);
      const bias = this.bias?.[row] ?? 0;
      offsets[place] = this.metric === 'l2' ? (bias - squared(values, to, dims)) / 2 : bias;
    }
    return { ordinals, rows: tensor(values, { shape: [count, dims] }), offsets: tensor(offsets) };
  }

  /** float64 [dims]: of the rows as they are scored. */
  async #mean(): Promise<Float64Array> {
    const { data, shape } = this.rows;
    const [count, dims] = shape;
    const mean = new Float64Array(dims);
    const add = (begin: number, end: number) => {
      for (let row = begin; row < end; row++) {
        const scale = (this.#scales?.[row] ?? 1) / count;
        for (let dim = 0; dim < dims; dim++)
          mean[dim] = (mean[dim] as number) + (data[row * dims + dim] as number) * scale;
      }
    };
    await inPieces(count, add, Math.ceil(PIECE_NUMBERS / dims));
    return mean;
  }
}

/**
 * Share of a true list's first `depth` entries that was found: a row counts when its true score is at least that of the last of
 * them, so that of rows that score the same any will do. Undefined where the list is empty.
 *
 * @param found Rows in the order in which they came back; the first `depth` count, each once.
 */
export function shareFound(
  { scores }: TrueList,
  depth: number,
  found: Iterable<number>,
  score: (row: number) => number,
): number | undefined {
  const entries = Math.min(depth, scores.length);
  if (entries === 0) return undefined;
  const least = scores[entries - 1] as number;
  const hits = [...new Set(found)].slice(0, depth).filter((row) => score(row) >= least);
  return hits.length / entries;
}

/** The best entries so far of several embeddings, sorted by float32 scores. */
class BestRows {
  readonly #rows: Int32Array;
  readonly #scores: Float32Array;

  constructor(
    private readonly embeddings: number,
    readonly k: number,
  ) {
    this.#rows = new Int32Array(embeddings * k).fill(-1);
    this.#scores = new Float32Array(embeddings * k).fill(Number.NEGATIVE_INFINITY);
  }

  /** Sorted entries of further rows, all of them after the rows seen before, so that these win ties. */
  merge(scores: Float32Array, positions: Int32Array, rows: Int32Array): void {
    const { embeddings, k } = this;
    const width = scores.length / embeddings;
    for (let each = 0; each < embeddings; each++) {
      const oldScores = this.#scores.slice(each * k, (each + 1) * k);
      const oldRows = this.#rows.slice(each * k, (each + 1) * k);
      let [old, next] = [0, each * width];
      for (let place = each * k; place < (each + 1) * k; place++) {
        const isNew = next < (each + 1) * width && (scores[next] as number) > (oldScores[old] as number);
        this.#scores[place] = isNew ? (scores[next] as number) : (oldScores[old] as number);
        this.#rows[place] = isNew ? (rows[positions[next++] as number] as number) : (oldRows[old++] as number);
      }
    }
  }

  /** The rows of `heads` embeddings from `first` on, each once. */
  rowsOf(first: number, heads: number): Set<number> {
    const rows = new Set(this.#rows.subarray(first * this.k, (first + heads) * this.k));
    rows.delete(-1);
    return rows;
  }
}

function product(data: Float32Array, first: number, query: Float64Array): number {
  let sum = 0;
  for (let dim = 0; dim < query.length; dim++) sum += (data[first + dim] as number) * (query[dim] as number);
  return sum;
}

function negativeDistance(data: Float32Array, first: number, query: Float64Array): number {
  let sum = 0;
  for (let dim = 0; dim < query.length; dim++) sum -= ((data[first + dim] as number) - (query[dim] as number)) ** 2;
  return sum;
}

function squared(data: Float32Array, first: number, dims: number): number {
  let sum = 0;
  for (let at = first; at < first + dims; at++) sum += (data[at] as number) ** 2;
  return sum;
}
