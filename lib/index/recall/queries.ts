// Queries that stand for those to come, as the index quantises them: given ones, or items in their place.
import { Random } from '../../data/random.js';
import type { Metric } from '../../ops/ivf_probe.js';
import { l2Normalize } from '../../ops/l2_normalize.js';
import { rotate } from '../../ops/rotate.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import type { Rotation } from '../rotation.js';
import type { ClusteredRows, SampleQueries } from './sample.js';

/** Queries at most; half as many where each is compared with many numbers. */
const MOST = 128;
const MANY_NUMBERS = 2 ** 25;

/** How many sample queries are worth their time beside rows of so many numbers. */
export function sampleSize(numbers: number): number {
  return numbers > MANY_NUMBERS ? MOST / 2 : MOST;
}

/** Some of the queries that a caller gives, float32 [n, dims]; zero vectors are left out. */
export async function givenQueries(
  given: Float32Array,
  dims: number,
  metric: Metric,
  rotation: Rotation | undefined,
  most: number,
): Promise<SampleQueries> {
  const rows = Array.from({ length: given.length / dims }, (_, i) => i).filter((i) => isNonZero(given, i, dims));
  const step = Math.max(1, rows.length / most);
  const count = Math.min(most, rows.length);
  const chosen = new Float32Array(count * dims);
  for (let i = 0; i < count; i++) {
    const row = rows[Math.floor(i * step)] as number;
    chosen.set(given.subarray(row * dims, (row + 1) * dims), i * dims);
  }
  let vectors = tensor(chosen, { shape: [count, dims] }) as Tensor;
  if (metric === 'cosine') vectors = (await l2Normalize(vectors)) as Tensor;
  if (rotation) {
    const { mean, signs } = rotation;
    vectors = (await rotate(vectors, signs, { mean, centre: metric === 'l2' })).rotated as Tensor;
  }
  return { vectors: vectors.view() as Float32Array, count, items: new Int32Array(count).fill(-1) };
}

/** Items as queries: drawn without replacement, zero vectors and repetitions left out. An item never counts for itself. */
export async function itemQueries(
  { vectors, dims, metric, clusters }: ClusteredRows,
  rotation: Rotation | undefined,
  most: number,
  seed: number,
): Promise<SampleQueries> {
  const moved = metric === 'l2' || rotation === undefined ? undefined : await rotatedMean(rotation);
  const random = new Random(seed);
  const seen = new Set<string>();
  const chosen: number[] = [];
  const values = new Float32Array(most * dims);
  for (let tries = 0; tries < 4 * most && chosen.length < most; tries++) {
    const item = random.integer(clusters.length);
    const query = vectors.slice(item * dims, (item + 1) * dims);
    if (moved) for (let d = 0; d < dims; d++) query[d] = (query[d] as number) + (moved[d] as number);
    const key = query.join();
    if (seen.has(key) || !isNonZero(query, 0, dims)) continue;
    seen.add(key);
    values.set(query, chosen.length * dims);
    chosen.push(item);
  }
  const count = chosen.length;
  return { vectors: values.slice(0, count * dims), count, items: Int32Array.from(chosen) };
}

/** What queries have that items lack: they are rotated, but not centred. */
async function rotatedMean({ mean, signs }: Rotation): Promise<Float32Array> {
  const { rotated } = await rotate(mean.reshape([1, mean.shape[0] as number]), signs);
  return rotated.view() as Float32Array;
}

/** Rounding of a rotation leaves a little where nothing was. */
function isNonZero(values: Float32Array, row: number, dims: number): boolean {
  const own = values.subarray(row * dims, (row + 1) * dims);
  return own.some((value) => Math.abs(value) > 1e-6);
}
