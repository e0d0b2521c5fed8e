// Lists that are arranged once more: boosts, variety, limits per value. On the calling thread, over the list that the run gave.

import { requireKnown } from '../../errors.js';
import type { FilterPlan } from '../../filter/plan.js';
import { type RowTensors, type RowTest, rowTest } from '../../index/row_filter.js';
import { placeVector } from '../ask/item_vector.js';
import { invalid } from '../ask/numbers.js';
import type { RetrieveRequest } from '../types.js';
import type { ItemPlace, Version } from '../version.js';
import { checkGroups, type Groups, groupField, Quota } from './groups.js';

type Boost = NonNullable<RetrieveRequest['boost']>[number];

/** What a request says of the order of its list. */
export interface Wishes {
  groups: Groups | undefined;
  boost: readonly Boost[];
  /** 1: by score alone. */
  mmr: number;
}

/** The same in a version. */
export interface Arrangement {
  groups: Groups | undefined;
  /** Number of the attribute that groups are made of. */
  attribute: number;
  boosts: readonly { plan: FilterPlan | undefined; freshPlan: FilterPlan | undefined; factor: number }[];
  mmr: number;
}

const MOST_BOOSTS = 64;
/** Candidates that are compared with each other; what follows keeps its order behind them. */
const MOST_COMPARED = 1000;

/** Undefined for a request that leaves the order to the scores. @throws SilverlodeError `INVALID_ARGUMENT` */
export function wishesOf({ groups, boost, diversity }: RetrieveRequest): Wishes | undefined {
  if (groups === undefined && boost === undefined && diversity === undefined) return undefined;
  return { groups: checkGroups(groups), boost: checkBoost(boost), mmr: checkDiversity(diversity) };
}

function checkBoost(boost: RetrieveRequest['boost']): readonly Boost[] {
  if (boost === undefined) return [];
  if (!Array.isArray(boost) || boost.length > MOST_BOOSTS)
    throw invalid(`boost must be a list of at most ${MOST_BOOSTS} {filter, factor}`, { field: 'boost' });
  return boost.map((each: Boost, i) => {
    if (typeof each !== 'object' || each === null)
      throw invalid(`boost[${i}] must be {filter, factor}`, { field: `boost[${i}]` });
    requireKnown(`boost[${i}]`, each, ['filter', 'factor']);
    if (each.filter === undefined) throw invalid(`boost[${i}] needs a filter`, { field: `boost[${i}].filter` });
    if (typeof each.factor !== 'number' || !Number.isFinite(each.factor))
      throw invalid(`boost[${i}].factor must be a finite number, got ${String(each.factor)}`, {
        field: `boost[${i}].factor`,
      });
    return { filter: each.filter, factor: each.factor };
  });
}

function checkDiversity(diversity: RetrieveRequest['diversity']): number {
  if (diversity === undefined) return 1;
  if (typeof diversity !== 'object' || diversity === null)
    throw invalid('diversity must be {mmr}', { field: 'diversity' });
  requireKnown('diversity', diversity, ['mmr']);
  const { mmr } = diversity;
  if (typeof mmr === 'number' && mmr >= 0 && mmr <= 1) return mmr;
  throw invalid(`diversity.mmr must lie in [0, 1], got ${String(mmr)}`, { field: 'diversity.mmr' });
}

/** @throws SilverlodeError of the filters, and for groups that cannot be made. */
export function arrangementOf({ groups, boost, mmr }: Wishes, version: Version): Arrangement {
  const boosts = boost.map(({ filter, factor }) => ({ ...version.plans(filter), factor }));
  return { groups, attribute: groups ? groupField(version, groups) : -1, boosts, mmr };
}

/**
 * Positions of a list in their new order, at most `most`, and final scores by position of the list.
 *
 * Scores are multiplied by the factors of all boosts whose filters hold, and the list is sorted by them. Then, one after the other, the
 * item is taken that has the most of `mmr · relevance - (1 - mmr) · similarity` (Carbonell and Goldstein, 1998), as long as its group has
 * room: relevance is the score as a share of the way from the least to the most of the list, similarity the largest cosine with what was
 * taken before. Of equals the one with the better score, then the earlier in publish order.
 */
export function arranged(
  version: Version,
  list: Int32Array,
  given: Float32Array,
  { groups, attribute, boosts, mmr }: Arrangement,
  { most, minScore }: { most: number; minScore: number },
): { positions: number[]; scores: Float32Array } {
  const places = Array.from(list, (ordinal) => version.placeAt(ordinal));
  const scores = boosts.length === 0 ? given : boosted(version, places, given, boosts);
  let order = Array.from(list.keys());
  // The sort keeps equals in their order; NaN goes last.
  if (boosts.length > 0) order.sort((a, b) => rankOf(scores[b] as number) - rankOf(scores[a] as number) || a - b);
  if (minScore !== Number.NEGATIVE_INFINITY) order = order.filter((at) => (scores[at] as number) >= minScore);
  const quota = groups && new Quota(version, places, groups, attribute);
  const positions = mmr < 1 ? varied(version, places, scores, order, mmr, quota, most) : [];
  if (mmr < 1) order = order.slice(MOST_COMPARED);
  for (const at of order) {
    if (positions.length >= most) break;
    if (quota === undefined || quota.takes(at)) positions.push(at);
  }
  return { positions: positions.slice(0, most), scores };
}

const LAST = -Number.MAX_VALUE;
const rankOf = (score: number): number =>
  Number.isNaN(score) ? LAST : Math.max(LAST, Math.min(Number.MAX_VALUE, score));

function boosted(
  { main, fresh }: Version,
  places: readonly ItemPlace[],
  given: Float32Array,
  boosts: Arrangement['boosts'],
): Float32Array {
  const testOf = (plan: FilterPlan | undefined, tensors: RowTensors | undefined): RowTest =>
    plan && tensors ? rowTest(plan, tensors) : () => true;
  const freshTensors = fresh && (Object.fromEntries(fresh.tensors) as unknown as RowTensors);
  const tests = boosts.map(({ plan, freshPlan, factor }) => ({
    main: testOf(plan, main.eligible as RowTensors),
    fresh: testOf(freshPlan, freshTensors),
    factor,
  }));
  return given.map((score, at) => {
    const { segment, row } = places[at] as ItemPlace;
    let factor = 1;
    for (const each of tests) if (each[segment](row)) factor *= each.factor;
    return factor === 1 ? score : score * factor + 0; // no -0
  });
}

function varied(
  version: Version,
  places: readonly ItemPlace[],
  scores: Float32Array,
  order: readonly number[],
  mmr: number,
  quota: Quota | undefined,
  most: number,
): number[] {
  const left = order.slice(0, MOST_COMPARED);
  const units = unitVectors(
    version,
    left.map((at) => places[at] as ItemPlace),
  );
  const { dims } = version.main.manifest;
  const finite = left.map((at) => scores[at] as number).filter(Number.isFinite);
  const [least, highest] = [Math.min(...finite), Math.max(...finite)];
  const relevance = left.map((at) => {
    const score = scores[at] as number;
    if (!Number.isFinite(score)) return score === Number.POSITIVE_INFINITY ? 1 : 0;
    return highest > least ? (score - least) / (highest - least) : 1;
  });
  const similarity = new Float64Array(left.length).fill(0);
  const isOpen = new Uint8Array(left.length).fill(1);
  const taken: number[] = [];
  while (taken.length < most) {
    let [best, bestValue] = [-1, Number.NEGATIVE_INFINITY];
    for (let i = 0; i < left.length; i++) {
      if (isOpen[i] !== 1) continue;
      const value = mmr * (relevance[i] as number) - (1 - mmr) * (similarity[i] as number);
      if (value > bestValue) [best, bestValue] = [i, value];
    }
    if (best < 0) break;
    isOpen[best] = 0;
    const at = left[best] as number;
    if (quota && !quota.takes(at)) continue;
    const isFirst = taken.push(at) === 1;
    for (let i = 0; i < left.length; i++) {
      if (isOpen[i] !== 1) continue;
      const cosine = dot(units, best * dims, i * dims, dims);
      similarity[i] = isFirst ? cosine : Math.max(similarity[i] as number, cosine);
    }
  }
  return taken;
}

/** float32 [places, dims], each of length 1. */
function unitVectors(version: Version, places: readonly ItemPlace[]): Float32Array {
  const { dims } = version.main.manifest;
  const all = new Float32Array(places.length * dims);
  for (const [i, place] of places.entries()) {
    const vector = placeVector(place, version);
    let squares = 0;
    for (let d = 0; d < dims; d++) squares += (vector[d] as number) ** 2;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let d = 0; d < dims; d++) all[i * dims + d] = (vector[d] as number) * scale;
  }
  return all;
}

function dot(rows: Float32Array, a: number, b: number, dims: number): number {
  let sum = 0;
  for (let d = 0; d < dims; d++) sum += (rows[a + d] as number) * (rows[b + d] as number);
  return sum;
}
