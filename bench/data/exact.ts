// Exact nearest neighbours: every row is scored in float32, by the ops of this package. test/bench has the slow reference.
import { ops, tensor } from 'silverlode';
import type { Vectors } from '../../lib/io/vectors.js';

/** Rows whose scores are held at a time, for as many queries as below: 32 MiB. */
const BLOCK_ROWS = 8192;
const BLOCK_QUERIES = 1024;

/** Where entries of a missing item stand. */
const MISSING = -1;

/**
 * The `k` rows of every query with the highest inner products, the lower row first where two are equal.
 *
 * @param eligible The only rows to look at, ascending; all of them where it is undefined.
 * @param offsets Added to the scores, float32 [rows]: -|x|² / 2 makes the order that of Euclidean distances.
 * @returns int32 [queries, k], best first; -1 where fewer are eligible.
 */
export async function exactNeighbours(
  rows: Vectors,
  queries: Vectors,
  k: number,
  eligible?: Int32Array,
  offsets?: Float32Array,
): Promise<Int32Array> {
  const [count, dims] = queries.shape;
  const lists = new Int32Array(count * k).fill(MISSING);
  for (let query = 0; query < count; query += BLOCK_QUERIES) {
    const some = Math.min(BLOCK_QUERIES, count - query);
    const asked = tensor(queries.data.subarray(query * dims, (query + some) * dims), { shape: [some, dims] });
    const best = new BestLists(some, k);
    const total = eligible?.length ?? rows.shape[0];
    for (let first = 0; first < total; first += BLOCK_ROWS) {
      const block = blockOf(rows, first, Math.min(BLOCK_ROWS, total - first), eligible, offsets);
      const scores = await ops.linear(asked, block.rows, { bias: block.offsets });
      const top = await ops.topK(scores, { k: Math.min(k, block.ordinals.length) });
      best.merge(top.scores.view() as Float32Array, top.positions.view() as Int32Array, block.ordinals);
      for (const made of [block.rows, block.offsets, scores, ...Object.values(top)]) made?.dispose();
    }
    asked.dispose();
    lists.set(best.ordinals, query * k);
  }
  return lists;
}

/** Some of the eligible rows, copied. */
function blockOf(
  { data, shape: [, dims] }: Vectors,
  first: number,
  count: number,
  eligible: Int32Array | undefined,
  offsets: Float32Array | undefined,
) {
  const ordinals = eligible?.subarray(first, first + count) ?? Int32Array.from({ length: count }, (_, i) => first + i);
  const values = new Float32Array(count * dims);
  for (const [place, row] of ordinals.entries()) values.set(data.subarray(row * dims, (row + 1) * dims), place * dims);
  return {
    ordinals,
    rows: tensor(values, { shape: [count, dims] }),
    offsets: offsets && tensor(Float32Array.from(ordinals, (row) => offsets[row] as number)),
  };
}

/** The best entries so far of several queries, sorted. */
class BestLists {
  readonly ordinals: Int32Array;
  readonly #scores: Float32Array;

  constructor(
    private readonly queries: number,
    private readonly k: number,
  ) {
    this.ordinals = new Int32Array(queries * k).fill(MISSING);
    this.#scores = new Float32Array(queries * k).fill(Number.NEGATIVE_INFINITY);
  }

  /** Sorted entries of further rows, all of them after the rows seen before, so that these win ties. */
  merge(scores: Float32Array, positions: Int32Array, rows: Int32Array): void {
    const { queries, k } = this;
    const width = scores.length / queries;
    for (let query = 0; query < queries; query++) {
      const oldScores = this.#scores.slice(query * k, (query + 1) * k);
      const oldOrdinals = this.ordinals.slice(query * k, (query + 1) * k);
      let [old, next] = [0, query * width];
      for (let place = query * k; place < (query + 1) * k; place++) {
        const isNew = next < (query + 1) * width && (scores[next] as number) > (oldScores[old] as number);
        this.#scores[place] = isNew ? (scores[next] as number) : (oldScores[old] as number);
        this.ordinals[place] = isNew ? (rows[positions[next++] as number] as number) : (oldOrdinals[old++] as number);
      }
    }
  }
}
