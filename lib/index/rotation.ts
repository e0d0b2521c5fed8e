// Vectors as the index quantises them: of unit length for cosine, centred and rotated where that makes int8 scores better.
import { Random } from '../data/random.js';
import { gatherRows } from '../ops/gather_rows.js';
import type { Metric } from '../ops/ivf_probe.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import { rotate } from '../ops/rotate.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { breathe, inPieces } from './progress.js';
import { sampleRows } from './sample_rows.js';

/** What vectors are centred by and rotated with. */
export interface Rotation {
  /** float32 [dims]: mean of the items. */
  mean: Tensor;
  /** int8 [Dp]: signs of a randomised Hadamard matrix, see native/ops/rotate.h. */
  signs: Tensor;
}

/** What `publish` found out about rotating; part of the model. */
export interface RotationFacts {
  applied: boolean;
  /** Error of int8 scores with it, as a share of that without; null where it was not measured. */
  errorRatio: number | null;
}

/** Rows that the mean is taken of, and rows and queries whose scores are compared. */
const MEAN_ROWS = 16_384;
const COMPARED_ROWS = 1024;
const ROWS_PER_QUERY = 32;
/** Fewer items say too little about their mean. */
const FEWEST_ITEMS = 256;
/** Below this ratio of errors rotating is worth the few hundred nanoseconds that it costs a query. */
const WORTHWHILE = 0.9;
/** Numbers looked at between two turns of the event loop. */
const PIECE_NUMBERS = 2 ** 18;

/** Items, float32 [n, dims], as they are quantised: float32 [n, dims], or [n, Dp] where they are rotated. */
export async function itemVectors(items: Tensor, metric: Metric, rotation?: Rotation): Promise<Tensor> {
  const vectors = metric === 'cosine' ? ((await l2Normalize(items)) as Tensor) : items;
  if (rotation === undefined) return vectors;
  const { rotated } = await rotate(vectors, rotation.signs, { mean: rotation.mean, centre: true });
  if (vectors !== items) vectors.dispose();
  return rotated as Tensor;
}

/** Queries, float32 [..., dims], as they are quantised, and what is added to their scores: float32 [...]. */
export function queryVectors(
  queries: SymbolicTensor,
  metric: Metric,
  rotation?: Rotation,
): { vectors: SymbolicTensor; offsets?: SymbolicTensor } {
  const vectors = metric === 'cosine' ? l2Normalize(queries) : queries;
  if (rotation === undefined) return { vectors };
  const { mean, signs } = rotation;
  // Distances do not change when both sides move; an inner product with x is that with x - mean, plus that with the mean.
  const isMoved = metric === 'l2';
  const { rotated, offsets } = rotate(vectors, signs, { mean, centre: isMoved });
  return isMoved ? { vectors: rotated } : { vectors: rotated, offsets };
}

/**
 * Decides whether items are centred and rotated: under `'auto'` where, over pairs of sampled items, int8 scores then differ
 * clearly less from exact ones. What shifts all scores of a query alike does not count, since it changes no ranking.
 *
 * @param items float32 [n, dims], as given
 */
export async function chooseRotation(
  items: Tensor,
  metric: Metric,
  wanted: boolean | 'auto',
  seed: number,
): Promise<RotationFacts & { rotation: Rotation | undefined }> {
  const [count, dims] = items.shape as [number, number];
  if (wanted === false || (wanted === 'auto' && count < FEWEST_ITEMS))
    return { applied: false, errorRatio: null, rotation: undefined };
  const random = new Random(seed);
  const mean = await meanOf(await sampled(items, MEAN_ROWS, metric, random));
  const signs = new Int8Array(Math.ceil(dims / 32) * 32).map(() => (random.chance(0.5) ? 1 : -1));
  const rotation: Rotation = { mean: tensor(mean) as Tensor, signs: tensor(signs) as Tensor };
  const errorRatio = await ratioOfErrors(await sampled(items, COMPARED_ROWS, metric, random), metric, rotation);
  const applied = wanted === true || errorRatio < WORTHWHILE;
  return { applied, errorRatio, rotation: applied ? rotation : undefined };
}

async function sampled(items: Tensor, count: number, metric: Metric, random: Random): Promise<Tensor> {
  const rows = items.shape[0] as number;
  const some = count < rows ? await gatherRows(items, tensor(await sampleRows(rows, count, random)) as Tensor) : items;
  return itemVectors(some as Tensor, metric);
}

/** Sums in float64, rounded once. */
async function meanOf(vectors: Tensor): Promise<Float32Array> {
  const [count, dims] = vectors.shape as [number, number];
  const values = vectors.view() as Float32Array;
  const sums = new Float64Array(dims);
  const add = (begin: number, end: number) => {
    for (let row = begin; row < end; row++)
      for (let d = 0; d < dims; d++) sums[d] = (sums[d] as number) + (values[row * dims + d] as number);
  };
  await inPieces(count, add, Math.ceil(PIECE_NUMBERS / dims));
  return Float32Array.from(sums, (sum) => sum / count);
}

/** Vectors whose inner products are compared: float32 as they are, or int8 with a scale each. */
interface Vectors {
  values: Float32Array | Int8Array;
  scales?: Float32Array;
  width: number;
}

/** Median over queries of: spread of the errors of their scores with rotating, by that without. NaN where neither has any. */
async function ratioOfErrors(items: Tensor, metric: Metric, rotation: Rotation): Promise<number> {
  const exact: Vectors = { values: items.view() as Float32Array, width: items.shape[1] as number };
  const plain = await quantised(items);
  const centred = await rotate(items, rotation.signs, { mean: rotation.mean, centre: true });
  const rotated = await quantised(centred.rotated as Tensor);
  const queries = metric === 'l2' ? rotated : await quantised((await rotate(items, rotation.signs)).rotated as Tensor);
  const ratios: number[] = [];
  for (let query = 0; query < (items.shape[0] as number); query += ROWS_PER_QUERY) {
    await breathe();
    const scores = scoresOf(exact, exact, query, metric);
    const spreadOf = (queries: Vectors, rows: Vectors) =>
      spread(scoresOf(queries, rows, query, metric).map((score, row) => score - (scores[row] as number)));
    ratios.push(spreadOf(queries, rotated) / spreadOf(plain, plain));
  }
  return ratios.sort((a, b) => a - b)[ratios.length >> 1] as number;
}

async function quantised(vectors: Tensor): Promise<Vectors> {
  const { quantized, scales } = await quantizeInt8(vectors);
  return {
    values: quantized.view() as Int8Array,
    scales: scales.view() as Float32Array,
    width: quantized.shape[1] as number,
  };
}

/** Scores of every row for one query, in float64; for l2 without the part that only depends on the query. */
function scoresOf(queries: Vectors, rows: Vectors, query: number, metric: Metric): Float64Array {
  const { values, scales, width } = rows;
  const scores = new Float64Array(values.length / width);
  const queryScale = queries.scales?.[query] ?? 1;
  for (let row = 0; row < scores.length; row++) {
    let [dot, squares] = [0, 0];
    for (let d = 0; d < width; d++) {
      const x = values[row * width + d] as number;
      dot += x * (queries.values[query * width + d] as number);
      squares += x * x;
    }
    const scale = scales?.[row] ?? 1;
    scores[row] = dot * scale * queryScale - (metric === 'l2' ? (squares * scale * scale) / 2 : 0);
  }
  return scores;
}

/** Standard deviation. */
function spread(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
