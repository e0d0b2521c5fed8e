// Queries that stand for those to come, as the index quantises them: given ones, or items in their place.
import { gatherRows } from '../../ops/gather_rows.js';
import type { Metric } from '../../ops/ivf_probe.js';
import { l2Normalize } from '../../ops/l2_normalize.js';
import { rotate } from '../../ops/rotate.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { type Rotation, unrotated } from '../rotation.js';
import type { ClusteredRows, SampleQueries } from './sample.js';
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

/**
 * Items as queries: zero vectors and repetitions are left out. An item never counts for itself.
 *
 * @param rows Items as they are quantised.
 */
export async function itemQueries(
  { vectors, dims, metric }: Pick<ClusteredRows, 'vectors' | 'dims' | 'metric'>,
  rotation: Rotation | undefined,
  most: number,
  seed: number,
): Promise<SampleQueries> {
  const drawn = await standInQueries(vectors, [vectors.length / dims, dims], 1, most, seed);
  const values = rotation ? await unrotated(drawn.data, rotation) : drawn.data;
  const width = drawn.items.length === 0 ? 0 : values.length / drawn.items.length;
  const rows = Array.from(drawn.items.keys()).filter(
    (row) => !isNothing(values.subarray(row * width, (row + 1) * width)),
  );
  const items = Int32Array.from(rows, (row) => drawn.items[row] as number);
  if (items.length === 0) return { vectors: new Float32Array(0), count: 0, items };
  const given = tensor(values, { shape: [drawn.items.length, width] });
  return { ...(await quantisable(given as Tensor, rows, metric, rotation)), items };
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

/** A zero vector, or what rounding leaves of one. */
function isNothing(values: Float32Array): boolean {
  return values.every((value) => Math.abs(value) < 1e-6);
}

function isNonZero(values: Float32Array, row: number, dims: number): boolean {
  return values.subarray(row * dims, (row + 1) * dims).some((value) => value !== 0);
}
