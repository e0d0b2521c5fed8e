// Two sides at equal recall: the rate that each holds, what an answer costs, and latency as load grows.
import type { BenchResult } from '../support/suite.js';
import { LoadGenerator, type LoadReport } from './load/load.js';
import { highestRate } from './load/rate_search.js';
import { processorTime } from './processor_time.js';
import { httpRequest, type Side } from './sides.js';
import type { TaskRequest } from './task.js';
import { type Tuned, tune } from './tune.js';

/** How much is measured. */
export interface Sizes {
  /** Recall of the final list that both sides are tuned to; the first one is the goal's. */
  recalls: readonly number[];
  /** Milliseconds that p99 may take. */
  budget: number;
  repeats: number;
  /** Of one trial. */
  seconds: number;
  /** Trials of one search for the rate. */
  trials: number;
}

/** The same, and who listens. */
export interface Plan extends Sizes {
  /** Looked at between trials. */
  signal: AbortSignal | undefined;
  progress: (what: string) => void;
}

const WANTED = 23.7;
const TITLE = 'One model against many services';
/** Requests in flight at saturation. */
const SATURATION = 64;
const TOLERANCE = 0.05;
/** Points of the curve, as shares of the rate that a side holds. */
const LOADS = [0.25, 0.5, 0.75, 1];
/** What both sides get at fixed load, as a share of the rate that the slower one holds. */
const FIXED_LOAD = 0.5;

/** One side at one recall, with its generator and what was measured so far. */
interface Runner {
  side: Side;
  tuned: Tuned;
  load: LoadGenerator;
  rates: number[];
  saturations: { report: LoadReport; cost: Record<string, number> }[];
  fixed: LoadReport[];
}

export async function* compare(
  sides: readonly [Side, Side],
  requests: readonly TaskRequest[],
  truth: readonly number[][],
  plan: Plan,
): AsyncGenerator<BenchResult> {
  for (const recall of plan.recalls) {
    const runners: Runner[] = [];
    for (const side of sides) {
      plan.progress(`tuning ${side.name} to recall ${recall}`);
      const tuned = await tune(side, requests, truth, recall);
      const bodies = requests.map((each) => httpRequest(side.request(each, tuned.probes[each.filter] as number)));
      const load = await LoadGenerator.start(side.port, bodies);
      runners.push({ side, tuned, load, rates: [], saturations: [], fixed: [] });
    }
    try {
      yield* measure(runners as [Runner, Runner], `recall ${recall}`, plan, recall === plan.recalls[0]);
    } finally {
      for (const { load } of runners) load.stop();
    }
  }
}

async function* measure(
  runners: readonly [Runner, Runner],
  name: string,
  plan: Plan,
  isGoal: boolean,
): AsyncGenerator<BenchResult> {
  for (const runner of runners) await runner.load.closed(SATURATION, plan.seconds); // warm
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    plan.progress(`${name}, repeat ${repeat + 1} of ${plan.repeats}`);
    for (const runner of runners) runner.saturations.push(await saturate(runner, plan.seconds));
    for (const runner of runners) runner.rates.push(await rateOf(runner, plan));
  }
  const fixedRate = FIXED_LOAD * Math.min(...runners.map(({ rates }) => median(rates)));
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    for (const { load, fixed } of runners) fixed.push(await load.open(fixedRate, plan.seconds));
  }
  for (const runner of runners) {
    yield lone(runner, name);
    yield saturated(runner, name);
    yield fixedLoad(runner, name, fixedRate);
    yield* curve(runner, name, plan.seconds);
  }
  yield ratio(runners, name, isGoal);
}

/** The highest rate within the budget; the search starts at the last result, else somewhat below saturation. */
function rateOf({ load, rates, saturations }: Runner, { budget, seconds, trials, signal }: Plan): Promise<number> {
  const saturation = saturations.at(-1)?.report as LoadReport;
  const start = rates.at(-1) || 0.8 * perSecond(saturation);
  const holds = async (rate: number) => {
    signal?.throwIfAborted();
    const { p99, failed } = await load.open(rate, seconds);
    return failed === 0 && p99 <= budget;
  };
  return highestRate(holds, { start, tolerance: TOLERANCE, maxTrials: trials });
}

/** A closed loop, with processor time in microseconds per answer: of all processes, of each, and of their main threads. */
async function saturate({ side, load }: Runner, seconds: number): Promise<Runner['saturations'][number]> {
  const times = () => Object.entries(side.pids).map(([process, pid]) => ({ process, ...processorTime(pid) }));
  const before = times();
  const report = await load.closed(SATURATION, seconds);
  const cost: Record<string, number> = { 'cpu us': 0 };
  times().forEach(({ process, main, all }, i) => {
    const perAnswer = (spent: number) => (1e6 * spent) / report.answered;
    const whole = perAnswer(all - (before[i]?.all as number));
    cost['cpu us'] = (cost['cpu us'] as number) + whole;
    cost[`${process} us`] = whole;
    cost[`${process} main thread us`] = perAnswer(main - (before[i]?.main as number));
  });
  return { report, cost };
}

function lone({ side, tuned }: Runner, name: string): BenchResult {
  const hops = Object.entries(tuned.hops).map(([hop, milliseconds]) => [`${hop} ms`, milliseconds]);
  const probes = tuned.probes.map((count, filter) => [`probes ${filter}`, count]);
  return {
    name: `${name}, ${side.name}, a lone request by hops`,
    medianMs: Object.values(tuned.hops).reduce((sum, each) => sum + each, 0),
    samples: 1,
    figures: { ...Object.fromEntries([...hops, ...probes]), recall: tuned.recall },
  };
}

function saturated({ side, tuned, saturations }: Runner, name: string): BenchResult {
  const reports = saturations.map(({ report }) => report);
  const costs = Object.keys(saturations[0]?.cost ?? {}).map((key) => [
    key,
    median(saturations.map(({ cost }) => cost[key] as number)),
  ]);
  return {
    name: `${name}, ${side.name}, ${SATURATION} in flight`,
    medianMs: median(reports.map(({ p50 }) => p50)),
    p99Ms: median(reports.map(({ p99 }) => p99)),
    samples: sum(reports.map(({ answered }) => answered)),
    figures: {
      'req/s': median(reports.map(perSecond)),
      ...Object.fromEntries(costs),
      'client us': median(reports.map(({ clientMicroseconds }) => clientMicroseconds)),
      failed: sum(reports.map(({ failed }) => failed)),
      recall: tuned.recall,
    },
  };
}

function fixedLoad({ side, fixed }: Runner, name: string, rate: number): BenchResult {
  const p99 = median(fixed.map((report) => report.p99));
  return {
    name: `${name}, ${side.name}, fixed load`,
    medianMs: median(fixed.map(({ p50 }) => p50)),
    p99Ms: p99,
    samples: sum(fixed.map(({ answered }) => answered)),
    figures: { 'req/s': rate, 'p99 ms': p99, failed: sum(fixed.map(({ failed }) => failed)) },
  };
}

async function* curve(
  { side, load, tuned, rates }: Runner,
  name: string,
  seconds: number,
): AsyncGenerator<BenchResult> {
  for (const share of LOADS) {
    const rate = share * median(rates);
    if (rate === 0) continue;
    const { p50, p99, answered, failed, clientMicroseconds } = await load.open(rate, seconds);
    yield {
      name: `${name}, ${side.name}, ${100 * share} % of its rate`,
      medianMs: p50,
      p99Ms: p99,
      samples: answered,
      figures: { 'req/s': rate, 'p99 ms': p99, failed, 'client us': clientMicroseconds, recall: tuned.recall },
      plot: { title: TITLE, series: `${side.name}, ${name}`, x: 'req/s', y: 'p99 ms' },
    };
  }
}

/** Repeat by repeat, so that what else the machine did hits both sides of a ratio. */
function ratio([own, other]: readonly [Runner, Runner], name: string, isGoal: boolean): BenchResult {
  const cost = ({ saturations }: Runner, i: number) => saturations[i]?.cost['cpu us'] as number;
  const throughput = ({ saturations }: Runner, i: number) => perSecond(saturations[i]?.report as LoadReport);
  const ratios = own.rates.map((rate, i) => rate / (other.rates[i] as number));
  const found = median(ratios);
  const figures = {
    'rate ratio': found,
    'least ratio': Math.min(...ratios),
    'cpu ratio': median(own.rates.map((_, i) => cost(other, i) / cost(own, i))),
    'saturation ratio': median(own.rates.map((_, i) => throughput(own, i) / throughput(other, i))),
    'own req/s': median(own.rates),
    'other req/s': median(other.rates),
  };
  const goal = { id: 'services', against: `four services, ${name}`, ratio: found, wanted: WANTED };
  const result = { name: `${name}, requests/s within the budget`, medianMs: 0, samples: own.rates.length, figures };
  return isGoal ? { ...result, goal } : result;
}

const perSecond = ({ answered, seconds }: LoadReport): number => answered / seconds;

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

/** The lower of the middle two. */
function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b);
  return ascending[(ascending.length - 1) >> 1] ?? Number.NaN;
}
