// Vectors as the index quantises them: of unit length for cosine, centred and rotated where that makes int8 scores better.
import { Random } from '../data/random.js';
import { gatherRows } from '../ops/gather_rows.js';
import type { Metric } from '../ops/ivf_probe.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import { rotate } from '../ops/rotate.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { breathe, inPieces, PIECE_NUMBERS } from './progress.js';
import { sampleRows } from './sample_rows.js';

/** What vectors are centred by and rotated with. */
export interface Rotation {
  /** float32 [dims]: mean of the items. */
  mean: Tensor;
  /** int8 [Dp]: signs of a randomised Hadamard matrix, see native/ops/rotate.h. */
  signs: Tensor;
  /**
   * Whether queries too lose their part along the mean, so that they keep all steps of int8 for what tells items apart. The
   * products of the items with the mean are their biases then.
   */
  aligned: boolean;
}

/** What `publish` found out about rotating; part of the model. */
export interface RotationFacts {
  applied: boolean;
  aligned: boolean;
  /** Error of int8 scores with it, as a share of that without; null where it was not measured. */
  errorRatio: number | null;
}

export const NOT_ROTATED: RotationFacts = { applied: false, aligned: false, errorRatio: null };

/** Rows that the mean is taken of, and rows and queries whose scores are compared. */
const MEAN_ROWS = 16_384;
const COMPARED_ROWS = 1024;
const ROWS_PER_QUERY = 32;
/** Fewer items say too little about their mean. */
const FEWEST_ITEMS = 256;
/** Below this ratio of errors rotating is worth the few hundred nanoseconds that it costs a query. */
const WORTHWHILE = 0.9;

/** Items as they are quantised. */
export interface ItemVectors {
  /** float32 [n, dims], or [n, Dp] where they are rotated. */
  vectors: Tensor;
  /** Of aligned models, float32 [n]: products of the centred items with the mean, part of every score. */
  products?: Float32Array;
}

/** @param items float32 [n, dims] */
export async function itemVectors(items: Tensor, metric: Metric, rotation?: Rotation): Promise<ItemVectors> {
  const vectors = metric === 'cosine' ? ((await l2Normalize(items)) as Tensor) : items;
  if (rotation === undefined) return { vectors };
  const { mean, signs, aligned } = rotation;
  const { rotated, offsets } = await rotate(vectors, signs, { mean, subtract: 'mean' });
  if (vectors !== items) vectors.dispose();
  return { vectors: rotated as Tensor, ...(aligned && { products: offsets.view() }) };
}

/** Queries as they are quantised; a score is `(int8 score + offset) · factor`, where there are such. */
export interface QueryVectors {
  /** float32 [..., dims], or [..., Dp] where they are rotated. */
  vectors: SymbolicTensor;
  /** float32 [...]. */
  offsets?: SymbolicTensor;
  factors?: SymbolicTensor;
}

/** @param queries float32 [..., dims] */
export function queryVectors(queries: SymbolicTensor, metric: Metric, rotation?: Rotation): QueryVectors {
  const vectors = metric === 'cosine' ? l2Normalize(queries) : queries;
  if (rotation === undefined) return { vectors };
  const { mean, signs, aligned } = rotation;
  // Distances do not change when both sides move; an inner product with x is that with x - mean, plus that with the mean.
  if (metric === 'l2') return { vectors: rotate(vectors, signs, { mean, subtract: 'mean' }).rotated };
  const { rotated, offsets, factors } = rotate(vectors, signs, { mean, subtract: aligned ? 'aligned' : 'nothing' });
  return { vectors: rotated, offsets, ...(aligned && { factors }) };
}

/** Items that are centred and rotated, float32 [n, Dp], as they were, [n, dims]: the matrix is its own inverse but for signs. */
export async function unrotated(vectors: Float32Array, { mean, signs }: Rotation): Promise<Float32Array> {
  const width = signs.shape[0] as number;
  const dims = mean.shape[0] as number;
  const count = vectors.length / width;
  const ones = tensor(new Int8Array(width).fill(1)) as Tensor;
  const { rotated } = await rotate(tensor(vectors, { shape: [count, width] }) as Tensor, ones);
  const [values, sign, centre] = [rotated.view(), signs.view() as Int8Array, mean.view() as Float32Array];
  const made = new Float32Array(count * dims);
  for (let row = 0; row < count; row++) {
    for (let d = 0; d < dims; d++) {
      const value = (values[row * width + d] as number) * (sign[d] as number);
      made[row * dims + d] = value + (centre[d] as number);
    }
  }
  return made;
}

/** One such row on this thread, for requests by items. @param values float32 [Dp], used up */
export function unrotatedRow(values: Float32Array, { mean, signs }: Rotation): Float32Array {
  const [centre, sign] = [mean.view() as Float32Array, signs.view() as Int8Array];
  for (let begin = 0; begin < values.length; ) {
    const size = 2 ** Math.floor(Math.log2(values.length - begin));
    hadamard(values.subarray(begin, begin + size));
    begin += size;
  }
  return Float32Array.from(centre, (own, dim) => (values[dim] as number) * (sign[dim] as number) + own);
}

/** In place, scaled so that lengths stay. */
function hadamard(block: Float32Array): void {
  for (let half = block.length / 2; half >= 1; half /= 2) {
    for (let i = 0; i < block.length; i++) {
      if ((i & half) !== 0) continue;
      const [a, b] = [block[i] as number, block[i + half] as number];
      block[i] = a + b;
      block[i + half] = a - b;
    }
  }
  const scale = 1 / Math.sqrt(block.length);
  for (let i = 0; i < block.length; i++) block[i] = (block[i] as number) * scale;
}

/**
 * Decides whether items are centred and rotated, and queries aligned: under `'auto'` where, over pairs of sampled items, int8
 * scores then differ clearly less from exact ones. What shifts all scores of a query alike does not count, since it changes no
 * ranking.
 *
 * @param items float32 [n, dims], as given
 * @param options `biased`: whether items have priors, which leave no room for products with the mean
 */
export async function chooseRotation(
  items: Tensor,
  options: { metric: Metric; wanted: boolean | 'auto'; biased: boolean; seed: number },
): Promise<{ facts: RotationFacts; rotation: Rotation | undefined }> {
  const { metric, wanted, biased, seed } = options;
  const [count, dims] = items.shape as [number, number];
  if (wanted === false || (wanted === 'auto' && count < FEWEST_ITEMS))
    return { facts: NOT_ROTATED, rotation: undefined };
  const random = new Random(seed);
  const mean = await meanOf(await sampled(items, MEAN_ROWS, metric, random));
  const signs = new Int8Array(Math.ceil(dims / 32) * 32).map(() => (random.chance(0.5) ? 1 : -1));
  const parts = { mean: tensor(mean) as Tensor, signs: tensor(signs) as Tensor };
  const compared = await sampled(items, COMPARED_ROWS, metric, random);
  const ratioOf = (aligned: boolean) => ratioOfErrors(compared, metric, { ...parts, aligned });
  const plain = await ratioOf(false);
  const better = metric === 'l2' || biased ? Number.NaN : await ratioOf(true);
  const aligned = better < WORTHWHILE * plain;
  const errorRatio = aligned ? better : plain;
  const applied = wanted === true || errorRatio < WORTHWHILE * Math.sqrt(dims / signs.length);
  const facts = { applied, aligned: applied && aligned, errorRatio: Number.isFinite(errorRatio) ? errorRatio : null };
  return { facts, rotation: applied ? { ...parts, aligned } : undefined };
}

async function sampled(items: Tensor, count: number, metric: Metric, random: Random): Promise<Tensor> {
  const rows = items.shape[0] as number;
  const some = count < rows ? await gatherRows(items, tensor(await sampleRows(rows, count, random)) as Tensor) : items;
  return (await itemVectors(some as Tensor, metric)).vectors;
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
  /** Of rows: added to every score. */
  products?: Float32Array | undefined;
  /** Of queries: multiplied with every score. */
  factors?: Float32Array | undefined;
}

/** Median over queries of: spread of the errors of their scores with rotating, by that without. NaN where neither has any. */
async function ratioOfErrors(items: Tensor, metric: Metric, rotation: Rotation): Promise<number> {
  const exact: Vectors = { values: items.view() as Float32Array, width: items.shape[1] as number };
  const plain = await quantised(items);
  const { mean, signs, aligned } = rotation;
  const centred = await rotate(items, signs, { mean, subtract: 'mean' });
  const rows = {
    ...(await quantised(centred.rotated as Tensor)),
    products: aligned ? centred.offsets.view() : undefined,
  };
  const asked = await rotate(items, signs, {
    mean,
    subtract: metric === 'l2' ? 'mean' : aligned ? 'aligned' : 'nothing',
  });
  const queries = { ...(await quantised(asked.rotated as Tensor)), factors: asked.factors.view() };
  const ratios: number[] = [];
  for (let query = 0; query < (items.shape[0] as number); query += ROWS_PER_QUERY) {
    await breathe();
    const scores = scoresOf(exact, exact, query, metric);
    const spreadOf = (by: Vectors, of: Vectors) =>
      spread(scoresOf(by, of, query, metric).map((score, row) => score - (scores[row] as number)));
    ratios.push(spreadOf(queries, rows) / spreadOf(plain, plain));
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
  const { values, scales, width, products } = rows;
  const scores = new Float64Array(values.length / width);
  const [queryScale, factor] = [queries.scales?.[query] ?? 1, queries.factors?.[query] ?? 1];
  for (let row = 0; row < scores.length; row++) {
    let [dot, squares] = [0, 0];
    for (let d = 0; d < width; d++) {
      const x = values[row * width + d] as number;
      dot += x * (queries.values[query * width + d] as number);
      squares += x * x;
    }
    const scale = scales?.[row] ?? 1;
    const bias = metric === 'l2' ? (-squares * scale * scale) / 2 : (products?.[row] ?? 0);
    scores[row] = (dot * scale * queryScale + bias) * factor;
  }
  return scores;
}

/** Standard deviation. */
function spread(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
