// npm run bench [-- suite … --quick --device cuda:0 --threads 1 --filter text --json file]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machineFacts } from './support/machine.js';
import type { BenchResult, Suite } from './support/suite.js';

/** Loaded when asked for, so that one suite needs nothing of the others. */
const SUITES: Readonly<Record<string, () => Promise<{ default: Suite }>>> = {
  ops: () => import('./ops/index.js'),
  pipeline: () => import('./pipelines/index.js'),
  kernels: () => import('./kernels/index.js'),
  serving: () => import('./serving/index.js'),
  freshness: () => import('./pipelines/freshness.js'),
};

function line({ name, medianMs, figures }: BenchResult): string {
  const rest = Object.entries(figures).map(([unit, value]) => `${value.toFixed(2).padStart(9)} ${unit}`);
  return [`${medianMs.toFixed(3).padStart(10)} ms`, ...rest, ` ${name}`].join(' ');
}

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2);
  if (command === 'report') return (await import('./report/index.js')).main(rest);
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      filter: { type: 'string', default: '' },
      device: { type: 'string', default: 'cpu' },
      threads: { type: 'string', default: '0' },
      json: { type: 'string' },
    },
  });
  const typed = ['npm run bench --', ...process.argv.slice(2)].join(' ');
  const options = { ...values, threads: Number(values.threads) };
  if (!Number.isInteger(options.threads) || options.threads < 0)
    throw new Error(`--threads must be a whole number, 0 for all cores; it is ${values.threads}`);
  const names = positionals.length > 0 ? positionals : Object.keys(SUITES);
  const unknown = names.filter((name) => !Object.hasOwn(SUITES, name));
  if (unknown.length > 0)
    throw new Error(`no suite ${unknown.join(', ')}; there are: ${Object.keys(SUITES).join(', ')}`);

  const machine = machineFacts();
  console.log(
    Object.entries(machine)
      .map(([fact, value]) => `${fact} ${value}`)
      .join(', '),
  );
  const notes: Record<string, string> = {};
  const results: (BenchResult & { suite: string })[] = [];
  for (const suite of names) {
    const { default: loaded } = await (SUITES[suite] as (typeof SUITES)[string])();
    if (loaded.note !== undefined) notes[suite] = loaded.note;
    for await (const result of loaded.run(options)) {
      results.push({ suite, ...result });
      console.log(line(result));
    }
  }
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine, command: typed, notes, results }, undefined, 2)}\n`);
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
