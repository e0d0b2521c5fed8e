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

/** Median of repeated calls, after some that do not count. */
export async function measure(
  work: () => Promise<unknown>,
  { quick }: BenchOptions,
): Promise<{ medianMs: number; p99Ms: number; samples: number }> {
  const bench = new Bench({
    time: quick ? 150 : 1500,
    iterations: quick ? 3 : 10,
    warmupTime: quick ? 50 : 300,
    warmupIterations: quick ? 1 : 3,
    throws: true,
  });
  const [task] = await bench.add('work', work).run();
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error('the benchmark gave no result');
  return { medianMs: result.latency.p50, p99Ms: result.latency.p99, samples: result.latency.samplesCount };
}
