// The item index as tensors of a module: int8 rows sorted by cluster, with everything that probing and scanning read.
import { SilverlodeError } from '../errors.js';
import { Module } from '../nn/module.js';
import type { Length } from '../ops/dispatch.js';
import { gatherRows } from '../ops/gather_rows.js';
import type { Metric } from '../ops/ivf_probe.js';
import { quantizeInt8 } from '../ops/quantize_int8.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { clusterItems } from './clustering.js';
import type { FilterIndex } from './filter_index.js';
import { inPieces, Progress } from './progress.js';
import { type Int8Rows, int8Recall } from './recall/int8_loss.js';
import { type Learned, learnClusters, sampleTruth } from './recall/learn.js';
import type { ClusteredRows } from './recall/sample.js';
import { chooseRotation, itemVectors, type Rotation, type RotationFacts } from './rotation.js';
import { type Candidates, type SearchRequests, type SearchSegment, searchSegment, toQueries } from './search.js';

export type { Candidates, SearchRequests } from './search.js';

/** Rows of one mask word, and of one block of the filter index. */
const WORD_ROWS = 64;
const BLOCK_ROWS = 512;
/** Clusters of the first round before recall targets are calibrated. */
export const FIRST_ROUND = 4;
/** Scores of fewer items lie far enough apart for int8. */
const FEWEST_COMPARED = 10_000;
/** Rows whose bias is computed between two turns of the event loop. */
const BIAS_ROWS = 4096;
/** Catalogues below this size are scanned whole under `clusters: 'auto'`. */
const FLAT_BELOW = 50_000;

/** How a catalogue is clustered and scored. */
export interface IvfOptions {
  /** A number, `'flat'` (one cluster: the exact int8 scan) or `'auto'` (default): flat below 50 000 items, else by size. */
  clusters?: number | 'auto' | 'flat';
  metric?: Metric;
  /** Per item, added to its score; with `l2` to half of it, so that it counts twice. */
  bias?: Float32Array | readonly number[];
  /** float32 [n, dims]: embeddings that users have, for what is measured on sample queries; default: items in their place. */
  queries?: Tensor<'float32'> | undefined;
  /**
   * Whether items are centred by their mean and rotated before they become int8, queries likewise: better scores where a few
   * coordinates or a common mean outweigh the rest, as in embeddings of language models. `'auto'` (default): where a sample
   * says that it helps.
   */
  rotate?: boolean | 'auto';
}

/** The tensors of an index and the facts that are not tensors. */
export interface IvfParts {
  metric: Metric;
  dims: number;
  items: number;
  flat: boolean;
  /** Clusters that a search up to a recall target scans first. */
  firstRound?: number;
  rotation: RotationFacts;
}

/**
 * An inverted-file index over int8 rows. Rows are sorted by (cluster, ordinal) and clusters padded to 64 rows, so a mask
 * word never crosses a cluster. Immutable after build: any number of searches may use it.
 */
export class IvfIndex extends Module {
  protected override readonly bufferNames = [
    'rows',
    'rowScales',
    'rowBias',
    'ordinals',
    'rowOf',
    'live',
    'clusterBegin',
    'centroids',
    'centroidScales',
    'centroidBias',
    'clusterStats',
    'tail',
    'mean',
    'signs',
  ];
  rows!: Tensor;
  rowScales!: Tensor;
  rowBias?: Tensor;
  /** int32 [N]: item of a row, -1 for padding; `rowOf` int32 [items] is its inverse. */
  ordinals!: Tensor;
  rowOf!: Tensor;
  live!: Tensor;
  clusterBegin!: Tensor;
  centroids!: Tensor;
  centroidScales!: Tensor;
  centroidBias?: Tensor;
  /** How scores lie within clusters; see native/ops/recall_estimate.h. An index of one cluster has none. */
  clusterStats?: Tensor;
  tail?: Tensor;
  /**
   * What an index that was just built learnt of its clusters, for whoever calibrates recall targets.
   *
   * @internal
   */
  learned?: Learned;
  /** And what share of the true order its int8 scores keep, see `int8Recall`; of small catalogues 1. */
  int8Recall = 1;
  /** Of rotated indexes: float32 [dims] and int8 [Dp], see `Rotation`. */
  mean?: Tensor;
  signs?: Tensor;

  constructor(
    readonly parts: IvfParts,
    tensors: Readonly<Record<string, Tensor | undefined>>,
  ) {
    super();
    for (const name of this.bufferNames) {
      if (tensors[name] !== undefined) (this as Record<string, unknown>)[name] = tensors[name];
    }
  }

  /** Undefined where vectors are quantised as they are. */
  get rotation(): Rotation | undefined {
    const { mean, signs } = this;
    return mean && signs && { mean, signs, aligned: this.parts.rotation.aligned };
  }

  get clusters(): number {
    return this.centroids.shape[0] as number;
  }

  /**
   * Builds the index: k-means, rows sorted by cluster, int8 rows and centroids.
   *
   * @param embeddings float32 [items, dims], finite
   */
  static async build(
    embeddings: Tensor<'float32'>,
    options: IvfOptions = {},
    seed = 0,
    progress = new Progress(),
  ): Promise<IvfIndex> {
    const [items, dims] = embeddings.shape as [number, number];
    const { metric = 'ip', bias } = options;
    if (bias !== undefined && bias.length !== items) {
      throw new SilverlodeError('SHAPE_MISMATCH', `index.bias has ${bias.length} entries for ${items} items`);
    }
    progress.step('rotate', 0, 1);
    const chosen = { metric, wanted: options.rotate ?? 'auto', biased: bias !== undefined, seed };
    const { rotation, facts } = await chooseRotation(embeddings as Tensor, chosen);
    const made = await itemVectors(embeddings as Tensor, metric, rotation);
    const vectors = made.vectors as Tensor<'float32'>;
    progress.step('rotate', 1, 1);
    const clusters = clusterCount(options.clusters ?? 'auto', items);
    const clustering = await clusterItems({ given: embeddings, vectors, clusters, metric, bias, seed, progress });

    progress.step('index', 0, 1);
    const layout = await layOutRows(clustering.clusters, clusters);
    const ordinals = tensor(layout.ordinals);
    const items8 = await quantizeInt8(vectors as Tensor);
    const rows = await gatherRows(items8.quantized, ordinals);
    const scales = await gatherRows(items8.scales, ordinals);
    const centroids8 = await quantizeInt8(clustering.centroids as Tensor);
    const itemBias = made.products ?? bias;
    const meanBias = itemBias && meansOf(itemBias, clustering.clusters, clusters);
    const rowBias = await biasOf(rows, scales, metric, itemBias, layout.ordinals);
    const ids = Int32Array.from({ length: clusters }, (_, cluster) => cluster);
    const centroidBias = await biasOf(centroids8.quantized, centroids8.scales, metric, meanBias, ids);
    progress.step('index', 1, 1);
    const clustered: ClusteredRows = {
      vectors: vectors.view(),
      dims: vectors.shape[1] as number,
      metric,
      clusters: clustering.clusters,
      centroids: clustering.centroids.view(),
      bias: itemBias,
      centroidBias: meanBias,
      priors: bias !== undefined,
    };
    const learning = { given: options.queries, rotation, seed, progress };
    const learned = clusters === 1 ? undefined : await learnClusters(clustered, learning);
    const index = new IvfIndex(
      { metric, dims, items, flat: clusters === 1, rotation: facts, ...(learned && { firstRound: FIRST_ROUND }) },
      {
        rows,
        rowScales: scales,
        rowBias,
        ordinals,
        rowOf: tensor(layout.rowOf),
        live: tensor(layout.live),
        clusterBegin: tensor(layout.clusterBegin),
        centroids: centroids8.quantized,
        centroidScales: centroids8.scales,
        centroidBias,
        clusterStats: learned?.clusterStats,
        tail: learned?.tail,
        mean: rotation?.mean,
        signs: rotation?.signs,
      },
    );
    if (learned) index.learned = learned;
    if (items >= FEWEST_COMPARED) {
      const { queries, lists } = learned ?? (await sampleTruth(clustered, learning));
      const int8 = { rows: rows as Tensor, rowOf: layout.rowOf, scales: scales.view(), bias: rowBias?.view() };
      index.int8Recall = await int8Recall(int8 as Int8Rows, queries, lists);
    }
    return index;
  }

  /**
   * Records a search: quantise, probe, filter the probed clusters, scan, merge heads.
   *
   * @param user float32 [batch, heads, dims]
   * @param options `k`: capacity of candidates; `eligible`: the filter index that request plans refer to
   */
  search(user: SymbolicTensor, requests: SearchRequests, options: { k: Length; eligible: FilterIndex }): Candidates {
    const { metric, firstRound } = this.parts;
    const queries = toQueries(user, metric, this.rotation);
    return searchSegment(queries, this, requests, { metric, firstRound, ...options });
  }

  /** Its tensors that a search reads. */
  segment(): SearchSegment {
    const { rows, rowScales, rowBias, ordinals, live, clusterBegin, centroids, centroidScales, centroidBias } = this;
    const { clusterStats, tail } = this;
    const clusters = { clusterBegin, centroids, centroidScales, centroidBias, clusterStats, tail };
    return { rows, rowScales, rowBias, ordinals, live, ...clusters };
  }

  /** The same index with another first round. */
  withFirstRound(firstRound: number): IvfIndex {
    return new IvfIndex({ ...this.parts, firstRound }, Object.fromEntries(this.stateDict()));
  }

  /** Indexes are searched, not called. */
  forward(...[user, requests, options]: Parameters<IvfIndex['search']>): Candidates {
    return this.search(user, requests, options);
  }
}

/** Mean of what the members of every cluster add to their scores, 0 for one without. */
export function meansOf(bias: ArrayLike<number>, clusters: Int32Array, count: number): Float32Array {
  const sums = new Float64Array(count);
  const sizes = new Int32Array(count);
  for (let item = 0; item < clusters.length; item++) {
    const cluster = clusters[item] as number;
    sums[cluster] = (sums[cluster] as number) + (bias[item] as number);
    sizes[cluster] = (sizes[cluster] as number) + 1;
  }
  return Float32Array.from(sums, (sum, cluster) => sum / Math.max(1, sizes[cluster] as number));
}

/** Never more clusters than items. */
function clusterCount(clusters: number | 'auto' | 'flat', items: number): number {
  if (clusters === 'flat') return 1;
  if (clusters === 'auto') return items < FLAT_BELOW ? 1 : 2 ** Math.round(Math.log2(4 * Math.sqrt(items)));
  if (!Number.isInteger(clusters) || clusters < 1) {
    throw new SilverlodeError(
      'INVALID_ARGUMENT',
      `index.clusters must be a positive integer, 'auto' or 'flat', got ${clusters}`,
    );
  }
  return Math.min(clusters, items);
}

/** Rows by (cluster, ordinal), clusters padded to whole mask words, the whole padded to whole filter blocks. */
export async function layOutRows(clusters: Int32Array, count: number) {
  const sizes = new Int32Array(count);
  await inPieces(clusters.length, (begin, end) => {
    for (let i = begin; i < end; i++) (sizes[clusters[i] as number] as number)++;
  });
  const clusterBegin = new Int32Array(count + 1);
  for (let c = 0; c < count; c++) {
    clusterBegin[c + 1] = (clusterBegin[c] as number) + Math.ceil((sizes[c] as number) / WORD_ROWS) * WORD_ROWS;
  }
  const rows = Math.max(1, Math.ceil((clusterBegin[count] as number) / BLOCK_ROWS)) * BLOCK_ROWS;
  const ordinals = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(clusters.length);
  const liveBytes = new Uint8Array(rows / 8);
  const next = clusterBegin.slice();
  await inPieces(clusters.length, (begin, end) => {
    for (let ordinal = begin; ordinal < end; ordinal++) {
      const row = (next[clusters[ordinal] as number] as number)++;
      ordinals[row] = ordinal;
      rowOf[ordinal] = row;
      liveBytes[row >> 3] = (liveBytes[row >> 3] as number) | (1 << (row & 7));
    }
  });
  return { ordinals, rowOf, clusterBegin, live: new BigInt64Array(liveBytes.buffer) };
}

/** Bias per row: -|x̂|²/2 for l2 (x̂ the stored row), plus the item's own. Undefined when there is none. */
export async function biasOf(
  rows: Tensor,
  scales: Tensor,
  metric: Metric,
  prior: ArrayLike<number> | undefined,
  ordinals: Int32Array | undefined,
): Promise<Tensor | undefined> {
  if (metric !== 'l2' && prior === undefined) return undefined;
  const [count, dims] = rows.shape as [number, number];
  const values = rows.view() as Int8Array;
  const scale = scales.view() as Float32Array;
  const bias = new Float32Array(count);
  await inPieces(
    count,
    (begin, end) => {
      for (let row = begin; row < end; row++) {
        const ordinal = ordinals?.[row] ?? -1;
        const own = ordinal < 0 ? 0 : (prior?.[ordinal] ?? 0);
        bias[row] = metric === 'l2' ? Math.fround(halfNorm(values, row, dims, scale[row] as number) + own) : own;
      }
    },
    BIAS_ROWS,
  );
  return tensor(bias);
}

/** -|x̂|²/2: the integer sum is exact; one rounding to float32, halved exactly. */
export function halfNorm(values: Int8Array, row: number, dims: number, scale: number): number {
  let squares = 0;
  for (let d = row * dims; d < (row + 1) * dims; d++) squares += (values[d] as number) ** 2;
  return -Math.fround(squares * scale * scale) / 2;
}
