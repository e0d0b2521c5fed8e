import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { kmeans } from '../../lib/index/kmeans.js';
import { Progress } from '../../lib/index/progress.js';
import { sampleRows } from '../../lib/index/sample_rows.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { property } from '../support/ops.js';

/** Rows around centres, some of which have many more than others. */
function makeRows(random: Random, items: number, dims: number, centres: number): Float32Array {
  const means = Float32Array.from({ length: centres * dims }, () => 3 * random.normal());
  const data = new Float32Array(items * dims);
  for (let item = 0; item < items; item++) {
    const centre = Math.min(random.integer(centres), random.integer(centres));
    for (let d = 0; d < dims; d++) data[item * dims + d] = (means[centre * dims + d] as number) + random.normal();
  }
  return data;
}

function distance(data: Float32Array, row: number, centroids: Float32Array, cluster: number, dims: number): number {
  let sum = 0;
  for (let d = 0; d < dims; d++)
    sum += ((data[row * dims + d] as number) - (centroids[cluster * dims + d] as number)) ** 2;
  return sum;
}

function meanError(data: Float32Array, centroids: Float32Array, clusters: ArrayLike<number>, dims: number): number {
  let sum = 0;
  for (let row = 0; row < clusters.length; row++) sum += distance(data, row, centroids, clusters[row] as number, dims);
  return sum / clusters.length;
}

/** Textbook Lloyd: random rows first, every row in every iteration. */
function lloyd(random: Random, data: Float32Array, items: number, dims: number, count: number, iterations: number) {
  const start = random.shuffle(Array.from({ length: items }, (_, row) => row)).slice(0, count);
  const centroids = Float32Array.from(start.flatMap((row) => [...data.subarray(row * dims, (row + 1) * dims)]));
  const clusters = new Int32Array(items);
  const assign = () => {
    for (let row = 0; row < items; row++) {
      let best = Number.POSITIVE_INFINITY;
      for (let c = 0; c < count; c++) {
        const own = distance(data, row, centroids, c, dims);
        if (own < best) [best, clusters[row]] = [own, c];
      }
    }
  };
  for (let i = 0; i < iterations; i++) {
    assign();
    for (let c = 0; c < count; c++) {
      const members = [...clusters.keys()].filter((row) => clusters[row] === c);
      for (let d = 0; d < dims && members.length > 0; d++) {
        centroids[c * dims + d] =
          members.reduce((sum, row) => sum + (data[row * dims + d] as number), 0) / members.length;
      }
    }
  }
  assign();
  return meanError(data, centroids, clusters, dims);
}

describe('k-means', () => {
  // Both end in local optima, of which either may be the better one.
  property('is as good as ten textbook iterations over every row', 2, async (random) => {
    let sum = 0;
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      const [items, dims, count] = [2000 + random.integer(1000), 4 + random.integer(12), 8 + random.integer(16)];
      const data = makeRows(random, items, dims, 500);
      const rows = tensor(data, { shape: [items, dims] });
      const { centroids, clusters } = await kmeans(rows, count, random.integer(100), false, new Progress());
      const own = meanError(data, centroids.view(), clusters, dims);
      const ratio = own / lloyd(random, data, items, dims, count, 10);
      expect(ratio).toBeLessThanOrEqual(1.15);
      sum += ratio / rounds;
    }
    expect(sum).toBeLessThanOrEqual(1.03);
  });

  property('gives every cluster the mean of its members and at most twice the mean size', 4, async (random) => {
    const [items, dims, count] = [500 + random.integer(3000), 1 + random.integer(20), 2 + random.integer(40)];
    const data = makeRows(random, items, dims, count);
    const rows = tensor(data, { shape: [items, dims] });
    const { centroids, clusters } = await kmeans(rows, count, 1, false, new Progress());
    for (let c = 0; c < count; c++) {
      const members = [...clusters.keys()].filter((row) => clusters[row] === c);
      expect(members.length).toBeLessThanOrEqual(Math.ceil((2 * items) / count));
      if (members.length === 0 || clusters.every((each) => each !== c)) continue;
      for (let d = 0; d < dims; d++) {
        const mean = members.reduce((sum, row) => sum + (data[row * dims + d] as number), 0) / members.length;
        const own = centroids.view()[c * dims + d] as number;
        // A cluster that was split for an empty one is moved by a thousandth.
        expect(Math.abs(own - mean)).toBeLessThanOrEqual(2e-3 * Math.abs(mean) + 1e-5);
      }
    }
  });

  property('centroids are the means of their members, also where these go by direction', 4, async (random) => {
    const [items, dims, count] = [4000, 16, 16];
    const data = Float32Array.from({ length: items * dims }, () => random.normal());
    const rows = tensor(data, { shape: [items, dims] });
    const { centroids, clusters } = await kmeans(rows, count, 1, true, new Progress());
    for (let c = 0; c < count; c++) {
      const members = [...clusters.keys()].filter((row) => clusters[row] === c);
      expect(members.length).toBeGreaterThan(items / count / 4);
      for (let d = 0; d < dims; d++) {
        const mean = members.reduce((sum, row) => sum + (data[row * dims + d] as number), 0) / members.length;
        expect(centroids.view()[c * dims + d]).toBeCloseTo(mean, 4);
      }
    }
  });

  test('repeats for a seed', async () => {
    const data = makeRows(new Random(3), 2000, 8, 20);
    const run = async (seed: number) => {
      const { centroids, clusters } = await kmeans(tensor(data, { shape: [2000, 8] }), 20, seed, true, new Progress());
      return [...(centroids as Tensor<'float32'>).view(), ...clusters];
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });
});

property('sampled rows are ascending, distinct and drawn evenly', 5, async (random) => {
  const rows = 1 + random.integer(200);
  const count = random.integer(rows + 1);
  const times = new Int32Array(rows);
  const rounds = 2000;
  for (let i = 0; i < rounds; i++) {
    const drawn = await sampleRows(rows, count, random);
    expect(drawn.length).toBe(count);
    drawn.forEach((row, at) => {
      if (at > 0) expect(row).toBeGreaterThan(drawn[at - 1] as number);
      times[row] = (times[row] as number) + 1;
    });
  }
  const share = count / rows;
  const spread = 6 * Math.sqrt(rounds * share * (1 - share));
  for (const drawn of times) expect(Math.abs(drawn - rounds * share)).toBeLessThanOrEqual(spread);
});
