// What a benchmark suite gives and how one measurement is taken.
import { Bench } from 'tinybench';

/** How long to measure, and which cases. */
export interface BenchOptions {
  /** `cpu` (default) or `cuda:0`; suites that do not look at it measure the processor. */
  device: string;
  quick: boolean;
  /** A case is measured when its full name contains this. */
  filter: string;
}

/** One line of a report: a name, the median and whatever figures the suite has. */
export interface BenchResult {
  name: string;
  medianMs: number;
  samples: number;
  figures: Readonly<Record<string, number>>;
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
): Promise<{ medianMs: number; samples: number }> {
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
  return { medianMs: result.latency.p50, samples: result.latency.samplesCount };
}
