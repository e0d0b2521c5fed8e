// Which rows of a cluster are eligible for a request: every row is looked at.
import type { Tensor } from 'silverlode';
import { HASHES } from '../cases/filter_index.js';
import type { Input } from '../cases/ivf_probe.js';
import { bitReader } from './bits.js';
import { planReader } from './filter_plan.js';

const int32s = (input: unknown): Int32Array => (input as Tensor<'int32'>).view();
const int64s = (input: unknown): BigInt64Array => (input as Tensor<'int64'>).view();

export interface ClusterRows {
  /** Live rows. */
  live: number;
  /** Of those, the ones that Bloom signatures cannot tell. */
  doubtful: number;
  /** Rows that a request may get. */
  eligible: number[];
}

type Clusters = Pick<Input['clusters'], 'clusterBegin' | 'live'>;

/** Reads a cluster for a request. */
export function clusterRowsReader(clusters: Clusters, requests: Input['requests'], index: Input['index']) {
  const begins = int32s(clusters.clusterBegin);
  const isLive = bitReader(int64s(clusters.live));
  const verdict = planReader(index, int64s(requests.plans.steps), int32s(requests.plans.offsets), HASHES);

  return (request: number, cluster: number): ClusterRows => {
    const [begin, end] = begins.subarray(cluster, cluster + 2) as unknown as [number, number];
    const plan = int32s(requests.planIndex)[request] as number;
    const exact = int32s(requests.exact)[request] !== 0;
    const excluded = new Set(excludesOf(requests, request));
    const rows = Array.from({ length: end - begin }, (_, i) => begin + i).filter(isLive);
    const verdicts = plan < 0 ? [] : rows.map((row) => verdict(plan, row));
    const passes = (i: number) => verdicts[i]?.[exact ? 'truth' : 'hi'] ?? true;
    return {
      live: rows.length,
      doubtful: verdicts.filter(({ lo, hi }) => hi && !lo).length,
      eligible: rows.filter((row, i) => passes(i) && !excluded.has(row)),
    };
  };
}

/** Rows never returned to a request. */
export function excludesOf(requests: Input['requests'], request: number): number[] {
  const [begin, end] = int32s(requests.excludeOffsets).subarray(request, request + 2);
  return [...int32s(requests.excludeRows).subarray(begin, end)].filter((row) => row >= 0);
}
