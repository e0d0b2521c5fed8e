// Queries that stand for those to come, as the index quantises them: given ones, or items in their place.
import { gatherRows } from '../../ops/gather_rows.js';
import type { Metric } from '../../ops/ivf_probe.js';
import { l2Normalize } from '../../ops/l2_normalize.js';
import { rotate } from '../../ops/rotate.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import type { Rotation } from '../rotation.js';
import type { SampleQueries } from './sample.js';
import { standInQueries } from './stand_ins.js';

/** Queries at most; half as many where each is compared with many numbers. */
const MOST = 128;
const MANY_NUMBERS = 2 ** 25;

/** How many sample queries are worth their time beside rows of so many numbers. */
export function sampleSize(numbers: number): number {
  return numbers > MANY_NUMBERS ? MOST / 2 : MOST;
}

/** Some of the queries that a caller gives, float32 [n, dims]; zero vectors are left out. */
export async function givenQueries(
  given: Tensor<'float32'>,
  metric: Metric,
  rotation: Rotation | undefined,
  most: number,
): Promise<SampleQueries> {
  const [count, dims] = given.shape as [number, number];
  const values = given.view();
  const rows = Array.from({ length: count }, (_, row) => row).filter((row) => isNonZero(values, row, dims));
  const chosen = Array.from({ length: Math.min(most, rows.length) }, (_, i, n = Math.min(most, rows.length)) => {
    return rows[Math.floor((i * rows.length) / n)] as number;
  });
  const queries = await quantisable(given, chosen, metric, rotation);
  return { ...queries, items: new Int32Array(queries.count).fill(-1) };
}

/** Items, float32 [n, dims], as queries: zero vectors and repetitions are left out. An item never counts for itself. */
export async function itemQueries(
  items: Tensor<'float32'>,
  metric: Metric,
  rotation: Rotation | undefined,
  most: number,
  seed: number,
): Promise<SampleQueries> {
  const shape = items.shape as [number, number];
  const drawn = await standInQueries(items.view(), shape, 1, most, seed);
  return { ...(await quantisable(items, [...drawn.items], metric, rotation)), items: drawn.items };
}

/** As `queryVectors` does it while a program is recorded. */
async function quantisable(from: Tensor, rows: readonly number[], metric: Metric, rotation: Rotation | undefined) {
  const count = rows.length;
  let vectors = (await gatherRows(from, tensor(Int32Array.from(rows)) as Tensor)) as Tensor;
  if (metric === 'cosine') vectors = (await l2Normalize(vectors)) as Tensor;
  if (rotation !== undefined) {
    const { mean, signs, aligned } = rotation;
    const subtract = metric === 'l2' ? 'mean' : aligned ? 'aligned' : 'nothing';
    vectors = (await rotate(vectors, signs, { mean, subtract })).rotated as Tensor;
  }
  return { vectors: vectors.view() as Float32Array, count };
}

function isNonZero(values: Float32Array, row: number, dims: number): boolean {
  return values.subarray(row * dims, (row + 1) * dims).some((value) => value !== 0);
}
