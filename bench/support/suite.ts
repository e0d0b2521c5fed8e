// What a benchmark suite gives and how one measurement is taken.
import { Bench } from 'tinybench';

/** How long to measure, and which cases. */
export interface BenchOptions {
  /** `cpu` (default) or `cuda:0`; suites that do not look at it measure the processor. */
  device: string;
  quick: boolean;
  /** A case is measured when its full name contains this. */
  filter: string;
  /** Compute threads of the processor; 0: as many as there are cores. */
  threads: number;
  /** Of the suite `peers`: rows, rounds, who takes part, and whether to install again what is there. */
  items?: number;
  repeats?: number;
  engines?: readonly string[];
  install?: boolean;
  /** Of `recall`: the sets asked, and their numbers of clusters. */
  sets?: readonly string[];
  clusters?: readonly number[];
  /** Of `filter`, `topk` and `rerank`: other libraries in turn with ours. */
  peers?: boolean;
  /** Vectors to measure on instead of the standard set: `file[,queries[,truth]]`, `goodbooks` or `sift`; see data/README.md. */
  data?: string;
  /** Of vectors that come from files; see `data`. */
  metric?: string;
  /** Fires when the run is to stop; what is measured already is kept. */
  signal?: AbortSignal;
  /** Tells a person who waits what is going on. */
  progress?(what: string): void;
}

/** Which plot of the report a result is a point of; `x` and `y` name two of its figures. */
export interface PlotPoint {
  title: string;
  series: string;
  x: string;
  y: string;
}

/** A goal of the project and what was measured for it, both sides in one run. */
export interface Goal {
  /** `C1` and so on. */
  id: string;
  /** Whom or what the ratio is against, with its setting. */
  against: string;
  /** How many times as good as that; a share where the goal is one. */
  ratio: number;
  /** What the ratio should be at least. */
  wanted: number;
}

/** One line of a report: a name, the median and whatever figures the suite has. */
export interface BenchResult {
  name: string;
  medianMs: number;
  /** The slowest of a hundred, where there are enough samples to tell. */
  p99Ms?: number;
  /** Interquartile range of the samples, from which `--compare` tells what is noise. */
  spreadMs?: number;
  samples: number;
  figures: Readonly<Record<string, number>>;
  plot?: PlotPoint;
  goal?: Goal;
}

/** Measures case by case; the runner prints each result as it comes. */
export interface Suite {
  /** What a reader of its figures must know; kept beside them. */
  note?: string;
  run(options: BenchOptions): AsyncIterable<BenchResult>;
}

/** Times of one piece of work. */
export interface Measured {
  medianMs: number;
  p99Ms: number;
  spreadMs: number;
  samples: number;
}

/** Median of repeated calls, after some that do not count. */
export async function measure(
  work: () => Promise<unknown>,
  { quick, signal }: Pick<BenchOptions, 'quick' | 'signal'>,
): Promise<Measured> {
  const bench = new Bench({
    time: quick ? 150 : 1500,
    iterations: quick ? 3 : 10,
    warmupTime: quick ? 50 : 300,
    warmupIterations: quick ? 1 : 3,
    retainSamples: true,
    throws: true,
    signal: signal && AbortSignal.any([signal]), // of its own, since listeners on it are never taken off
  });
  const [task] = await bench.add('work', work).run();
  signal?.throwIfAborted();
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error('the benchmark gave no result');
  return statistics(result.latency.samples as readonly number[]);
}

/**
 * Pieces of work in turns, so that what else the machine does hits all of them alike.
 *
 * @param sides Each gives the milliseconds of one call; `timed` makes one of any work.
 * @returns Medians over the rounds of the medians of each round; the spread is that of the rounds.
 */
export async function alternate<Side extends string>(
  sides: Readonly<Record<Side, () => Promise<number>>>,
  { quick, signal }: Pick<BenchOptions, 'quick' | 'signal'>,
): Promise<Record<Side, Measured>> {
  const [rounds, calls] = quick ? [5, 20] : [15, 200];
  const names = Object.keys(sides) as Side[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Side, number[][]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      signal?.throwIfAborted();
      const ofRound: number[] = [];
      for (let call = 0; call < calls; call++) ofRound.push(await sides[name]());
      if (round >= 0) times[name].push(ofRound); // the first round warms up
    }
  }
  const summary = (ofRounds: readonly number[][]): Measured => {
    const { medianMs, spreadMs } = statistics(ofRounds.map((round) => statistics(round).medianMs));
    return { medianMs, spreadMs, p99Ms: statistics(ofRounds.flat()).p99Ms, samples: rounds * calls };
  };
  return Object.fromEntries(names.map((name) => [name, summary(times[name])])) as Record<Side, Measured>;
}

/** Work as a side of `alternate`. */
export function timed(work: () => Promise<unknown>): () => Promise<number> {
  return async () => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
}

/** Median, 99th percentile and interquartile range of times in any order. */
export function statistics(times: readonly number[]): Measured {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (share: number) => {
    const place = share * (sorted.length - 1);
    const below = sorted[Math.floor(place)] as number;
    return below + (place % 1) * ((sorted[Math.ceil(place)] as number) - below);
  };
  const spreadMs = quantile(0.75) - quantile(0.25);
  return { medianMs: quantile(0.5), p99Ms: quantile(0.99), spreadMs, samples: sorted.length };
}
