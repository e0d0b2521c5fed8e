// npm run bench [-- suite … --quick --json file --compare file …]; --help tells all.
import { setDefaultDevice } from 'silverlode';
import { Interrupt } from '../lib/cli/interrupt.js';
import { type BenchArguments, helpText, parseArguments, UsageError } from './support/arguments.js';
import { type Comparison, compareRuns, comparisonTable } from './support/compare.js';
import { type Facts, machineFacts } from './support/machine.js';
import { readRun, type StoredResult, type StoredRun, writeRun } from './support/run_file.js';
import type { BenchOptions, BenchResult, Suite } from './support/suite.js';

/** Loaded when asked for, so that one suite needs nothing of the others. */
const SUITES: Readonly<Record<string, () => Promise<{ default: Suite }>>> = {
  ops: () => import('./ops/index.js'),
  boundary: () => import('./boundary/index.js'),
  features: () => import('./features/index.js'),
  ann: () => import('./ann/index.js'),
  pipeline: () => import('./pipelines/index.js'),
  kernels: () => import('./kernels/index.js'),
  services: () => import('./services/index.js'),
  freshness: () => import('./pipelines/freshness.js'),
  filter: () => import('./filter/index.js'),
  topk: () => import('./topk/index.js'),
  rerank: () => import('./rerank/index.js'),
  scan: () => import('./scan/index.js'),
  publish: () => import('./publish/index.js'),
  load: () => import('./load/index.js'),
  lifecycle: () => import('./lifecycle/index.js'),
  recall: () => import('./recall/index.js'),
  peers: () => import('./peers/index.js'),
};

/** What runs where no suite is named; the others need more time, packages or cores. */
const BY_DEFAULT = [
  ...['ops', 'boundary', 'features', 'ann', 'kernels', 'pipeline', 'freshness'],
  ...['filter', 'topk', 'rerank', 'scan', 'publish', 'load'],
];

function line({ name, medianMs, figures }: BenchResult): string {
  const rest = Object.entries(figures).map(([unit, value]) => `${value.toFixed(2).padStart(9)} ${unit}`);
  return [`${medianMs.toFixed(3).padStart(10)} ms`, ...rest, ` ${name}`].join(' ');
}

const describe = (facts: Facts) =>
  Object.entries(facts)
    .map(([fact, value]) => `${fact} ${value}`)
    .join(', ');

/** Lines on stderr for whoever waits: the seconds since the start, the suite, what it does. */
function teller(): (suite: string, what: string) => void {
  const started = performance.now();
  return (suite, what) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(5);
    console.error(`${seconds} s  ${suite}: ${what}`);
  };
}

/** What else figures of the same name depend on. */
const settingsOf = ({ quick, device, data, metric, items }: BenchArguments): Facts => ({
  size: quick ? 'quick' : 'full',
  device,
  data: data === undefined ? `standard${items === undefined ? '' : `, ${items} items`}` : `${data}, ${metric ?? 'ip'}`,
});

/** Measures suite after suite; one that fails is told and does not keep the others from running. */
async function runSuites(given: BenchArguments, signal: AbortSignal): Promise<{ run: StoredRun; failed: string[] }> {
  if (given.simd !== undefined) process.env.SILVERLODE_SIMD = given.simd; // read when a device opens, here and in children
  setDefaultDevice({ device: 'cpu', threads: given.threads });
  const machine = { ...machineFacts(given.threads), ...settingsOf(given) };
  console.log(describe(machine));
  const quoted = process.argv.slice(2).map((word) => (/^[\w./:,=-]+$/.test(word) ? word : `'${word}'`));
  const command = ['npm run bench --', ...quoted].join(' ');
  const notes: Record<string, string> = {};
  const results: StoredResult[] = [];
  const runNow = (finished: boolean): StoredRun => ({ machine, command, notes, finished, results });
  const keep = (finished: boolean) => {
    if (given.json !== undefined) writeRun(given.json, runNow(finished));
  };
  const tell = teller();
  const failed: string[] = [];
  keep(false);
  for (const suite of given.suites) {
    tell(suite, 'starts');
    try {
      const { default: loaded } = await (SUITES[suite] as (typeof SUITES)[string])();
      if (loaded.note !== undefined) notes[suite] = loaded.note;
      const options: BenchOptions = { ...given, signal, progress: (what) => tell(suite, what) };
      for await (const result of loaded.run(options)) {
        results.push({ suite, ...result });
        console.log(line(result));
        keep(false);
        signal.throwIfAborted();
      }
    } catch (error) {
      if (signal.aborted) break;
      failed.push(suite);
      console.error(`${suite} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
  keep(!signal.aborted && failed.length === 0);
  return { run: runNow(true), failed };
}

function tellComparison(comparison: Comparison): void {
  console.log(`\n${comparisonTable(comparison)}`);
  for (const difference of comparison.differences) console.error(`!!! not the same machine or setting: ${difference}`);
  if (comparison.regressed) process.exitCode = 1;
}

async function main(): Promise<void> {
  const typed = process.argv.slice(2);
  if (typed[0] === 'report') return (await import('./report/index.js')).main(typed.slice(1));
  const given = parseArguments(typed, Object.keys(SUITES), BY_DEFAULT);
  if (given.help) return console.log(helpText(Object.keys(SUITES), BY_DEFAULT));
  const base = given.compare === undefined ? undefined : readRun(given.compare);
  if (base && given.with !== undefined) return tellComparison(compareRuns(base, readRun(given.with)));
  using interrupt = new Interrupt();
  const { run, failed } = await runSuites(given, interrupt.signal);
  const isAsked = ({ suite, name }: StoredResult) => given.suites.includes(suite) && name.includes(given.filter);
  if (base && !interrupt.signal.aborted) tellComparison(compareRuns(base, run, isAsked));
  if (failed.length > 0) throw new UsageError(`failed: ${failed.join(', ')}`);
  if (!interrupt.signal.aborted) return;
  console.error(`stopped after ${run.results.length} results${given.json ? `, which ${given.json} has` : ''}`);
  process.exitCode = 130;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error && !(error instanceof TypeError) ? error.message : error);
  process.exitCode = 1;
});
