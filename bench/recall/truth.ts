// The truth that recall is measured against: every row scored in float64 from the float32 numbers that were given.
import type { Vectors } from '../../lib/io/vectors.js';
import type { Metric } from '../data/given_set.js';

/** One query as one vector per head, in the form that scoring needs. */
export type Heads = readonly Float64Array[];

/** Rows and how they are scored; higher is better. An item's score is its best over the heads. */
export class Truth {
  /** One over the lengths of the rows, 0 for a zero row. */
  readonly #scales: Float64Array | undefined;

  constructor(
    private readonly rows: Vectors,
    private readonly metric: Metric,
  ) {
    const [count, dims] = rows.shape;
    if (metric !== 'cosine') return;
    this.#scales = Float64Array.from({ length: count }, (_, row) => {
      const length = lengthOf(rows.data.subarray(row * dims, (row + 1) * dims));
      return length === 0 ? 0 : 1 / length;
    });
  }

  /** A request's embeddings for scoring, of length 1 where the metric is the cosine. */
  heads(embeddings: readonly Float32Array[]): Heads {
    return embeddings.map((embedding) => {
      const length = this.metric === 'cosine' ? lengthOf(embedding) || 1 : 1;
      return Float64Array.from(embedding, (value) => value / length);
    });
  }

  /** Inner product, cosine (0 for a zero row) or negative squared distance. */
  score(row: number, heads: Heads): number {
    let best = Number.NEGATIVE_INFINITY;
    for (const head of heads) {
      const score = this.metric === 'l2' ? -this.#distance(row, head) : this.#product(row, head);
      best = Math.max(best, score * (this.#scales?.[row] ?? 1));
    }
    return best;
  }

  /** float64 [rows]. */
  scores(heads: Heads): Float64Array {
    const scores = new Float64Array(this.rows.shape[0]);
    for (let row = 0; row < scores.length; row++) scores[row] = this.score(row, heads);
    return scores;
  }

  #product(row: number, query: Float64Array): number {
    const { data } = this.rows;
    const first = row * query.length;
    let sum = 0;
    for (let dim = 0; dim < query.length; dim++) sum += (data[first + dim] as number) * (query[dim] as number);
    return sum;
  }

  #distance(row: number, query: Float64Array): number {
    const { data } = this.rows;
    const first = row * query.length;
    let sum = 0;
    for (let dim = 0; dim < query.length; dim++) sum += ((data[first + dim] as number) - (query[dim] as number)) ** 2;
    return sum;
  }
}

function lengthOf(vector: Float32Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

/** Rows by descending score, the lower row first where two are equal. */
export function ranking(scores: Float64Array): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}
