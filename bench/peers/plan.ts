// What a comparison does, from the options of the suite.

import { FILTERS, type SetSize, standardSize } from '../data/standard_set.js';
import type { BenchOptions } from '../support/suite.js';

/** Sizes, repeats and time of each measurement. */
export interface Plan {
  size: SetSize;
  repeats: number;
  /** Seconds that one run of one engine at one effort is meant to take. */
  runSeconds: number;
  threads: number;
  /** Clusters of the comparison of publishing. */
  publishClusters: number;
  filters: readonly string[];
}

export function planOf({ quick, items, repeats, threads }: BenchOptions, cores: number): Plan {
  const rows = items ?? (quick ? 20_000 : 200_000);
  return {
    size: standardSize(rows, quick, 256),
    repeats: repeats ?? (quick ? 2 : 5),
    runSeconds: quick ? 0.02 : 0.12,
    threads: threads > 0 ? threads : cores,
    publishClusters: rows >= 500_000 ? 4096 : quick ? 128 : 1024,
    filters: quick ? ['p10', 'p1'] : FILTERS,
  };
}

/** One way of asking; all engines are compared at it. */
export interface Scenario {
  /** As in the names of results and plots. */
  title: string;
  mode: 'single' | 'batch';
  threads: number;
  /** Empty: none. */
  filter: string;
  goal?: { id: string; wanted: number };
  /** Recalls that speeds are compared at. */
  recalls: readonly number[];
}

export const BATCH = 64;

const FILTER_TITLES: Readonly<Record<string, string>> = {
  '': 'no filter',
  p50: '50 % eligible',
  p10: '10 % eligible',
  p1: '1 % eligible',
  p01: '0.1 % eligible',
  c10: '10 % eligible, by cluster',
  c1: '1 % eligible, by cluster',
};

/** C1: one at a time; C2: batches, one thread and all; C3: filters, both ways. */
export function scenarios({ threads, filters }: Plan): Scenario[] {
  const all = threads > 1 ? [threads] : [];
  const of = (mode: Scenario['mode'], count: number, filter: string, goal: Scenario['goal']): Scenario => {
    const how = mode === 'single' ? 'one at a time' : `batches of ${BATCH}`;
    const title = `search ${how}, ${count === 1 ? '1 thread' : `${count} threads`}, ${FILTER_TITLES[filter]}`;
    return {
      title,
      mode,
      threads: count,
      filter,
      goal,
      recalls: filter === '' ? [0.95, 0.97, 0.98, 0.99] : [0.95, 0.99],
    };
  };
  return [
    of('single', 1, '', { id: 'C1', wanted: 3 }),
    ...[1, ...all].map((count) => of('batch', count, '', { id: 'C2', wanted: 8 })),
    ...filters.flatMap((filter) => {
      const goal = filter === 'p50' ? undefined : { id: 'C3', wanted: 10 };
      return [of('single', 1, filter, goal), of('batch', 1, filter, goal)];
    }),
    ...all.map((count) => of('batch', count, 'p10', { id: 'C3', wanted: 10 })),
  ];
}
