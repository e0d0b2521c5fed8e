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
/** Shares that are tried, rising; smaller ones scan nearly everything, and lie on a line to a share of 0. */
const SHARES = [0.004, 0.015, 0.03, 0.06, 0.2];
const FIRST_SHARE = 0.015;
/** Workloads that are asked with small shares: those with the lowest recall. */
const DECIDING = 2;
/** The first round is what all but this part of the sample queries scan anyway. */
const SHORT_SEARCHES = 0.1;
/** Recall that may be lost beside what int8 scores lose, where these lose more than a target allows. */
const INT8_SLACK = 0.005;
const LIMITS = { maxBatch: 64, maxK: 2 ** 20, maxCandidates: 2 ** 20 };

/** Few items are searched in no time, so their shares are taken as they are meant. */
const FEWEST_ITEMS = 2048;
const STRAIGHT: RecallShares = [[0, 1]];
const UNCALIBRATED: Omit<RecallFacts, 'clusters'> = {
  target: DEFAULT_TARGET,
  open: [[1, STRAIGHT]],
  narrowed: STRAIGHT,
};

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
 * queries: for each target the largest share that still reaches it, of each length by itself, and of the two narrowed workloads
 * that lose most.
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
    const recalls = new Map<Workload, Map<number, number>>();
    const recallOf = async (workload: Workload, share: number) => {
      // Where float rows order the candidates again, an exhaustive search finds everything.
      if (share === 0 && rescored) return 1;
      const known = recalls.get(workload) ?? new Map<number, number>();
      recalls.set(workload, known);
      const recall = known.get(share) ?? (await measure(workload, share)).recall;
      known.set(share, recall);
      return recall;
    };
    const { all, plain } = workloads;
    const measured: [length: number, shares: RecallShares][] = [];
    for (const workload of all.filter((each) => !each.narrowed))
      measured.push([workloads.lengthOf(workload), await sharesFor([workload], recallOf)]);
    const open = learned.queries.items.some((item) => item >= 0) ? cautious(measured) : measured;
    const narrowed = await sharesFor(
      all.filter((workload) => workload.narrowed),
      recallOf,
    );
    const [, usual] = open.find(([length]) => length === workloads.lengthOf(plain)) as (typeof open)[0];
    const { clusters: looked } = await measure(plain, shareFor(DEFAULT_TARGET, usual));
    const clusters = looked.toSorted((a, b) => a - b);
    const firstRound = Math.max(1, clusters[Math.floor(clusters.length * SHORT_SEARCHES)] ?? 1);
    const mean = clusters.reduce((sum, count) => sum + count, 0) / Math.max(1, clusters.length);
    const recall = { target: DEFAULT_TARGET, open, narrowed, clusters: Math.max(1, Math.round(mean)) };
    return { index: index.withFirstRound(firstRound), recall };
  } finally {
    segment.runner.dispose();
  }
}

/**
 * Half the way, by ratio, to the least of the shares: where items stand in for queries these are easier than what users ask, and
 * by how much shows in no length alone.
 */
function cautious(open: [length: number, shares: RecallShares][]): [length: number, shares: RecallShares][] {
  const leastAt = (at: number) => Math.min(...open.map(([, shares]) => (shares[at] as RecallShares[0])[1]));
  return open.map(([length, shares]) => [
    length,
    shares.map(([recall, share], at) => [recall, Math.sqrt(share * leastAt(at))] as const),
  ]);
}

type RecallOf = (workload: Workload, share: number) => Promise<number>;

/** By how much a share exceeds a target, in the workload where it does so least. */
type Excess = (target: number) => number;

/** The workloads that lose most decide. */
async function sharesFor(all: readonly Workload[], recallOf: RecallOf): Promise<RecallShares> {
  const measured: { workload: Workload; exhaustive: number }[] = [];
  for (const workload of all) measured.push({ workload, exhaustive: await recallOf(workload, 0) });
  const excessAt = async (share: number, among: typeof measured): Promise<Excess> => {
    const excesses: Excess[] = [];
    for (const { workload, exhaustive } of among) {
      const recall = await recallOf(workload, share);
      // Scores of int8 rows are not exact: what the exhaustive search loses, no search can find.
      excesses.push((target) => recall - Math.min(target, exhaustive - INT8_SLACK));
    }
    return (target) => Math.min(...excesses.map((excess) => excess(target)));
  };

  // From the first share up and down, as far as the targets ask for; recall falls as shares rise.
  const tried: [share: number, excess: Excess][] = [[0, await excessAt(0, measured)]];
  const [least, most] = [TARGETS[0] as number, TARGETS.at(-1) as number];
  const start = SHARES.indexOf(FIRST_SHARE);
  const slacks = new Map<Workload, number>();
  for (const each of measured) slacks.set(each.workload, (await excessAt(FIRST_SHARE, [each]))(DEFAULT_TARGET));
  const slackOf = ({ workload }: (typeof measured)[0]) => slacks.get(workload) as number;
  // Small shares scan much, and those that lose most at the first one do so below.
  const deciding = measured.toSorted((a, b) => slackOf(a) - slackOf(b)).slice(0, DECIDING);
  for (let i = start; i >= 0; i--) {
    const share = SHARES[i] as number;
    const excess = await excessAt(share, i === start ? measured : deciding);
    tried.splice(1, 0, [share, excess]);
    if (excess(most) >= 0) break;
  }
  for (const share of SHARES.slice(start + 1)) {
    const excess = await excessAt(share, measured);
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
