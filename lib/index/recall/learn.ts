// What a search up to a recall target must know of its clusters, learnt from sample queries and their true lists.
import { type Tensor, tensor } from '../../tensor/tensor.js';
import type { Progress } from '../progress.js';
import type { Rotation } from '../rotation.js';
import { Truth } from '../truth.js';
import { clusterStats } from './cluster_stats.js';
import { givenQueries, itemQueries, sampleSize } from './queries.js';
import { type ClusteredRows, itemScore, type SampleQueries, sampled } from './sample.js';
import { type SampleList, tailTable } from './tail.js';

/** Ranks of true lists whose scores serve as thresholds. */
const DEPTHS = [10, 100, 1000];
/** Length of the true lists: enough to take away what a request excludes or a filter keeps back. */
const LIST_LENGTH = 1100;
const ITEMS_STAND_IN =
  'no queries were given, so a sample of the items stands in for them: give typical ones where users are not like items';

/** What was learnt, and what from. */
export interface Learned {
  /** float32 [5, C] and int32 [256], see native/ops/recall_estimate.h. */
  clusterStats: Tensor;
  tail: Tensor;
  rows: ClusteredRows;
  queries: SampleQueries;
  /** Score of a sample query and an item. */
  itemScore(query: number, item: number): number;
  /** True lists of the queries, without the items that they are. */
  lists: SampleList[];
  /** The same of some items, ascending. */
  listsAmong(items: Int32Array, depth: number): Promise<SampleList[]>;
}

type ScoredRows = Omit<ClusteredRows, 'clusters' | 'centroids'>;

/** How clusters are learnt. */
export interface LearnOptions {
  /** float32 [n, dims]: embeddings that users have; default: items in their place. */
  given?: Tensor<'float32'> | undefined;
  rotation: Rotation | undefined;
  seed: number;
  progress: Progress;
}

/** Sample queries and their true lists. */
export type SampleTruth = Pick<Learned, 'queries' | 'lists'>;

export async function sampleTruth(rows: ScoredRows, options: LearnOptions): Promise<SampleTruth> {
  const { progress } = options;
  progress.step('truth', 0, 1, options.given === undefined ? ITEMS_STAND_IN : undefined);
  const queries = await sampleQueries(rows, options);
  const lists = await trueLists(rows, queries, {
    depth: LIST_LENGTH,
    onRows: (done, total) => progress.step('truth', done, total),
  });
  return { queries, lists };
}

/** By exact scores, without the items that the queries are; `eligible`: ascending, default all. */
async function trueLists(
  { vectors, dims, metric, bias }: ScoredRows,
  queries: SampleQueries,
  { depth, ...options }: { depth: number; eligible?: Int32Array; onRows?: (done: number, total: number) => void },
): Promise<SampleList[]> {
  const items = vectors.length / dims;
  const matrix = { data: vectors, shape: [items, dims] as const };
  // A prior is added before a score becomes a distance, which doubles it.
  const priors = metric === 'l2' ? bias && Float64Array.from(bias, (value) => 2 * value) : bias;
  const truth = new Truth(matrix, metric === 'cosine' ? 'ip' : metric, priors);
  const heads = Array.from({ length: queries.count }, (_, q) => [queries.vectors.subarray(q * dims, (q + 1) * dims)]);
  const found = await truth.lists(heads, { depth: Math.min(items, depth + 1), ...options });
  return found.map((list, q) => ({ items: list.rows.filter((item) => item !== queries.items[q]) }));
}

export async function learnClusters(rows: ClusteredRows, options: LearnOptions): Promise<Learned> {
  const { queries, lists } = await sampleTruth(rows, options);
  const sample = await sampled(rows, queries);
  const stats = await clusterStats(sample);
  const tail = await tailTable(sample, stats, lists, DEPTHS);
  return {
    clusterStats: tensor(stats, { shape: [stats.length / sample.count, sample.count] }) as Tensor,
    tail: tensor(tail) as Tensor,
    rows,
    queries,
    itemScore: (query, item) => itemScore(sample, query, item),
    lists,
    listsAmong: (eligible, depth) => trueLists(rows, queries, { depth, eligible }),
  };
}

async function sampleQueries(rows: ScoredRows, { given, rotation, seed }: LearnOptions): Promise<SampleQueries> {
  const most = sampleSize(rows.vectors.length);
  const queries = given && (await givenQueries(given, rows.metric, rotation, most));
  return queries?.count ? queries : itemQueries(rows, rotation, most, seed);
}
