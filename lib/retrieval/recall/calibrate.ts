// What share of its list a request may expect to miss so that recall targets are met: measured by real requests.
import type { FilterIndex } from '../../index/filter_index.js';
import { IvfIndex } from '../../index/ivf_index.js';
import type { Progress } from '../../index/progress.js';
import type { Learned } from '../../index/recall/learn.js';
import { NOT_ROTATED } from '../../index/rotation.js';
import type { NativeDevice } from '../../native/addon.js';
import { Answerer } from '../answer.js';
import { CatalogueIds } from '../item_ids.js';
import { MainSegment } from '../main_segment.js';
import type { RecallFacts, RecallShares } from '../manifest.js';
import { recordModel } from '../record.js';
import { RequestChecker } from '../requests.js';
import { RetrievalModule } from '../retrieval_module.js';
import { Version } from '../version.js';
import { shareFor } from './shares.js';
import { type Workload, Workloads } from './workloads.js';

/** Recall that requests get which ask for none. */
const DEFAULT_TARGET = 0.98;
/** Targets that a share is found for. */
const TARGETS = [0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995];
/** Shares that are tried, rising; the first is where it starts. */
const SHARES = [0.001, 0.003, 0.007, 0.015, 0.03, 0.06, 0.12, 0.25];
const FIRST_SHARE = 0.015;
/** Workloads that decide: those with the lowest recall. */
const DECIDING = 2;
/** The first round is what all but this part of the sample queries scan anyway. */
const SHORT_SEARCHES = 0.1;
/** Recall that may be lost beside what int8 scores lose, where these lose more than a target allows. */
const INT8_SLACK = 0.005;
const LIMITS = { maxBatch: 64, maxK: 2 ** 20, maxCandidates: 2 ** 20 };

/** Few items are searched in no time, so their shares are taken as they are meant. */
const FEWEST_ITEMS = 2048;
const STRAIGHT: RecallShares = [[0, 1]];
const UNCALIBRATED = { target: DEFAULT_TARGET, open: STRAIGHT, narrowed: STRAIGHT };

export interface CalibrateOptions {
  device: NativeDevice;
  seed: number;
  /** Whether candidates are scored again by float rows, so that only what a search does not find is lost. */
  rescored: boolean;
  progress: Progress;
}

export interface Calibrated {
  /** With its first round. */
  index: IvfIndex;
  recall: RecallFacts;
}

/**
 * Shares are found by requests of several lengths, with items excluded and under filters, against the true lists of the sample
 * queries: for each target the largest share with which the workloads that lose most still reach it.
 */
export async function calibrate(
  index: IvfIndex,
  learned: Learned,
  { device, seed, rescored, progress }: CalibrateOptions,
): Promise<Calibrated> {
  if (index.parts.items < FEWEST_ITEMS) return { index, recall: { ...UNCALIBRATED, clusters: index.clusters } };
  const bare = withoutRotation(index, learned.rows.dims);
  const workloads = await Workloads.over(bare, learned, { seed, rescored });
  const segment = await searchable(bare, workloads.eligible, device);
  const version = new Version(1, segment, segment.liveItems);
  const answerer = new Answerer(() => version, new RequestChecker(() => version, LIMITS));
  try {
    const measure = async (workload: Workload, share: number) => {
      progress.step('calibrate', workloads.all.indexOf(workload), workloads.all.length);
      return workloads.measure(workload, share, (requests) => answerer.all(requests, progress.signal));
    };
    const recallOf = async (workload: Workload, share: number) => (await measure(workload, share)).recall;
    const open = await sharesFor(
      workloads.all.filter((workload) => !workload.narrowed),
      recallOf,
    );
    const narrowed = await sharesFor(
      workloads.all.filter((workload) => workload.narrowed),
      recallOf,
    );
    const plain = await measure(workloads.all[0] as Workload, shareFor(DEFAULT_TARGET, open));
    const clusters = plain.clusters.toSorted((a, b) => a - b);
    const firstRound = Math.max(1, clusters[Math.floor(clusters.length * SHORT_SEARCHES)] ?? 1);
    const mean = clusters.reduce((sum, count) => sum + count, 0) / Math.max(1, clusters.length);
    const recall = { target: DEFAULT_TARGET, open, narrowed, clusters: Math.max(1, Math.round(mean)) };
    return { index: index.withFirstRound(firstRound), recall };
  } finally {
    segment.runner.dispose();
  }
}

type RecallOf = (workload: Workload, share: number) => Promise<number>;

/** By how much a share exceeds a target, in the workload where it does so least. */
type Excess = (target: number) => number;

/** The workloads that lose most decide. */
async function sharesFor(all: readonly Workload[], recallOf: RecallOf): Promise<RecallShares> {
  const measured: { workload: Workload; ceiling: number; slack: number }[] = [];
  for (const workload of all) {
    // Scores of int8 rows are not exact: what the exhaustive search loses, no search can find.
    const ceiling = (await recallOf(workload, 0)) - INT8_SLACK;
    measured.push({
      workload,
      ceiling,
      slack: (await recallOf(workload, FIRST_SHARE)) - Math.min(DEFAULT_TARGET, ceiling),
    });
  }
  const deciding = measured.sort((a, b) => a.slack - b.slack).slice(0, DECIDING);
  const excessAt = async (share: number): Promise<Excess> => {
    const recalls: number[] = [];
    for (const { workload } of deciding) recalls.push(await recallOf(workload, share));
    return (target) =>
      Math.min(...deciding.map(({ ceiling }, i) => (recalls[i] as number) - Math.min(target, ceiling)));
  };

  // From the middle up and down, as far as the targets ask for; recall falls as shares rise.
  const tried: [share: number, excess: Excess][] = [];
  const start = SHARES.indexOf(FIRST_SHARE);
  const [least, most] = [TARGETS[0] as number, TARGETS.at(-1) as number];
  for (let i = start; i >= 0; i--) {
    const share = SHARES[i] as number;
    const excess = await excessAt(share);
    tried.unshift([share, excess]);
    if (excess(most) >= 0) break;
  }
  for (let i = start + 1; i < SHARES.length; i++) {
    const share = SHARES[i] as number;
    const excess = await excessAt(share);
    tried.push([share, excess]);
    if (excess(least) <= 0) break;
  }
  return TARGETS.map((target) => [target, largestShare(target, tried)]);
}

/** The largest share that reaches a target, between the two tried ones around it; `tried` by rising share. */
function largestShare(target: number, tried: readonly (readonly [share: number, excess: Excess])[]): number {
  let [best] = tried[0] as (typeof tried)[0];
  for (let i = 0; i < tried.length; i++) {
    const [share, excess] = tried[i] as (typeof tried)[0];
    if (excess(target) < 0) {
      const previous = tried[i - 1];
      if (previous === undefined) break;
      const over = previous[1](target);
      return best + (over / (over - excess(target))) * (share - best);
    }
    best = share;
  }
  return best;
}

/** The index as its sample queries see it: they are rotated already. */
function withoutRotation(index: IvfIndex, dims: number): IvfIndex {
  const { mean: _, signs: __, ...tensors } = Object.fromEntries(index.stateDict());
  const metric = index.parts.metric === 'cosine' ? 'ip' : index.parts.metric;
  return new IvfIndex({ ...index.parts, metric, dims, rotation: NOT_ROTATED }, tensors);
}

/** Index and filter as a model of their own, whose ids are the ordinals. */
async function searchable(index: IvfIndex, eligible: FilterIndex, device: NativeDevice): Promise<MainSegment> {
  const ids = await CatalogueIds.from(Int32Array.from({ length: index.parts.items }, (_, item) => item));
  await ids.index();
  const module = new RetrievalModule(index, eligible, {});
  const recall = { ...UNCALIBRATED, clusters: index.clusters };
  const manifest = recordModel(module, { ids: ids.kind, columns: [], recall });
  const tensors = new Map([...module.stateDict(), ...ids.tensors]);
  const segment = new MainSegment({ manifest, tensors, ids }, LIMITS, device);
  await segment.runner.load();
  return segment;
}
