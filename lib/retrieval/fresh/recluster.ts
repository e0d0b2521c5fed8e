// Clusters of a folded catalogue: the old ones as long as they fit what came, else new ones; and what a search must know of them.
import { clusterItems } from '../../index/clustering.js';
import { biasOf, meansOf } from '../../index/ivf_index.js';
import { inPieces, PIECE_NUMBERS, type Progress } from '../../index/progress.js';
import { type Learned, learnClusters } from '../../index/recall/learn.js';
import { assignClusters } from '../../ops/assign_clusters.js';
import type { Metric } from '../../ops/ivf_probe.js';
import { quantizeInt8 } from '../../ops/quantize_int8.js';
import { updateCentroids } from '../../ops/update_centroids.js';
import { Tensor, tensor } from '../../tensor/tensor.js';
import type { Capture } from './capture.js';

/** Clusters are made anew where this share of the items came since, or where these lie farther from them than the others do. */
const MOST_NEW = 0.2;
const FARTHER = 1.1;
/** Rows of either kind whose distances are compared. */
const COMPARED = 4096;

export interface Reclustered {
  /** Cluster of every item. */
  clusters: Int32Array;
  /** Tensors of the index that change with the clusters, by their names in the model; none for models of older versions. */
  tensors: Record<string, Tensor | undefined>;
  learned: Learned | undefined;
}

/** @param rowsOf A table of rows, in the order of the items; the first `main` of these are of the main segment. */
export async function recluster(
  { main: tensors, version }: Capture,
  rowsOf: (name: string) => Promise<Tensor | undefined>,
  main: number,
  progress: Progress,
): Promise<Reclustered> {
  const { manifest, rotation } = version.main;
  const { clusters: count, metric } = manifest;
  const rows = (await rowsOf('rows')) as Tensor;
  const items = rows.shape[0] as number;
  if (count === 1) return { clusters: new Int32Array(items), tensors: {}, learned: undefined };
  const scales = (await rowsOf('rowScales')) as Tensor;
  const vectors = await dequantised(rows, scales);
  const old = await keptClusters(tensors, await rowsOf('ordinals'), vectors, main);
  if (manifest.recall === undefined) return { clusters: old.clusters, tensors: {}, learned: undefined };

  const itemBias = await biasOfItems((await rowsOf('rowBias')) as Tensor<'float32'> | undefined, vectors, metric);
  const priors = rotation?.aligned ? undefined : itemBias;
  const changed = items - main > MOST_NEW * items || (await lieFarther(vectors, old, main));
  const { clusters, centroids } = changed
    ? await clusterItems({ given: vectors, vectors, clusters: count, metric, bias: priors, seed: 0, progress })
    : {
        clusters: old.clusters,
        centroids: (await updateCentroids(vectors as Tensor, tensor(old.clusters) as Tensor, { clusters: count }))
          .centroids as Tensor<'float32'>,
      };
  const centroidBias = itemBias && meansOf(itemBias, clusters, count);
  const learned = await learnClusters(
    {
      ...{ vectors: vectors.view(), dims: vectors.shape[1] as number, metric, clusters },
      ...{ centroids: centroids.view(), bias: itemBias, centroidBias, priors: priors !== undefined },
    },
    { rotation, seed: 0, progress },
  );
  const { quantized, scales: centroidScales } = await quantizeInt8(centroids as Tensor);
  const ids = Int32Array.from({ length: count }, (_, cluster) => cluster);
  const bias = await biasOf(quantized as Tensor, centroidScales as Tensor, metric, centroidBias, ids);
  const changedTensors = {
    'index.centroids': quantized as Tensor,
    'index.centroidScales': centroidScales as Tensor,
    'index.centroidBias': bias,
    'index.clusterStats': learned.clusterStats,
    'index.tail': learned.tail,
  };
  return { clusters, tensors: changedTensors, learned };
}

/** What items add to their scores: what rows add, but for the part of a distance. */
async function biasOfItems(
  rowBias: Tensor<'float32'> | undefined,
  vectors: Tensor<'float32'>,
  metric: Metric,
): Promise<Float32Array | undefined> {
  if (rowBias === undefined) return undefined;
  const bias = Float32Array.from(rowBias.view());
  if (metric !== 'l2') return bias;
  const [items, width] = vectors.shape as [number, number];
  const values = vectors.view();
  let most = 0;
  const work = (begin: number, end: number) => {
    for (let item = begin; item < end; item++) {
      let squares = 0;
      for (let i = item * width; i < (item + 1) * width; i++) squares += (values[i] as number) ** 2;
      // Rounding leaves a little where there is no prior.
      const own = (bias[item] as number) + squares / 2;
      bias[item] = Math.abs(own) < 1e-5 * squares ? 0 : own;
      most = Math.max(most, Math.abs(bias[item] as number));
    }
  };
  await inPieces(items, work, Math.ceil(PIECE_NUMBERS / width));
  return most === 0 ? undefined : bias;
}

/** Clusters of main rows as they were, of fresh ones the nearest; and the distances of these. */
async function keptClusters(
  tensors: Capture['main'],
  ordinals: Tensor | undefined,
  vectors: Tensor<'float32'>,
  main: number,
): Promise<{ clusters: Int32Array; centroids: Tensor }> {
  const begin = (tensors.get('index.clusterBegin') as Tensor<'int32'>).view();
  const rowOf = (tensors.get('index.rowOf') as Tensor<'int32'>).view();
  const clusterOf = new Int32Array(tensors.get('index.rows')?.shape[0] as number);
  for (let cluster = 0; cluster + 1 < begin.length; cluster++)
    clusterOf.fill(cluster, begin[cluster], begin[cluster + 1]);
  const [items, width] = vectors.shape as [number, number];
  const clusters = new Int32Array(items);
  const ids = (ordinals as Tensor<'int32'>).view();
  await inPieces(main, (first, end) => {
    for (let item = first; item < end; item++)
      clusters[item] = clusterOf[rowOf[ids[item] as number] as number] as number;
  });
  const centroids = (await dequantised(
    tensors.get('index.centroids') as Tensor,
    tensors.get('index.centroidScales') as Tensor,
  )) as Tensor;
  if (main < items) {
    const fresh = tensor(vectors.view().subarray(main * width), { shape: [items - main, width] });
    const nearest = await assignClusters(fresh as Tensor, centroids);
    clusters.set((nearest.clusters as Tensor<'int32'>).view(), main);
  }
  return { clusters, centroids };
}

/** Whether fresh rows lie clearly farther from their centroids than the others do, in the mean of squares. */
async function lieFarther(
  vectors: Tensor<'float32'>,
  { clusters, centroids }: { clusters: Int32Array; centroids: Tensor },
  main: number,
): Promise<boolean> {
  const [items, width] = vectors.shape as [number, number];
  if (main === 0 || main === items) return false;
  const [values, centres] = [vectors.view(), centroids.view() as Float32Array];
  const meanDistance = (first: number, end: number) => {
    const step = Math.max(1, Math.floor((end - first) / COMPARED));
    let sum = 0;
    let looked = 0;
    for (let item = first; item < end; item += step, looked++) {
      const centre = (clusters[item] as number) * width;
      for (let d = 0; d < width; d++)
        sum += ((values[item * width + d] as number) - (centres[centre + d] as number)) ** 2;
    }
    return sum / looked;
  };
  return meanDistance(main, items) > FARTHER * meanDistance(0, main);
}

async function dequantised(rows: Tensor, scales: Tensor): Promise<Tensor<'float32'>> {
  const [count, width] = rows.shape as [number, number];
  const [from, scale] = [rows.view() as Int8Array, scales.view() as Float32Array];
  const made = Tensor.allocate('float32', rows.shape);
  const to = made.view();
  const work = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) to[i] = (from[i] as number) * (scale[Math.floor(i / width)] as number);
  };
  await inPieces(count * width, work, PIECE_NUMBERS);
  return made;
}
