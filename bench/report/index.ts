// npm run bench -- report [files… --out folder --markdown]
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readRun } from '../support/run_file.js';
import { bundlePage } from './bundle.js';
import { reportDocument } from './document.js';
import { goalsMarkdown } from './goals.js';
import { type Report, type RunOfFile, reportOf } from './model.js';
import { plotSvg } from './svg.js';

const RESULTS = 'bench/results';

/** Files of a report; a folder with any other, or without those that every report has, is not written over. */
const OWN = /^(index\.html|goals\.md|[a-z0-9-]+\.svg)$/;

/** Writes the report of the files (all of `bench/results` unless named), or prints its goals as Markdown. */
export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'build/bench-report' },
      markdown: { type: 'boolean', default: false },
    },
  });
  const report = reportOf((positionals.length > 0 ? positionals : defaultFiles()).map(readFile));
  if (values.markdown) {
    process.stdout.write(goalsMarkdown(report.goals));
    return;
  }
  await writeReport(report, values.out);
  console.log(`${path.join(values.out, 'index.html')}: ${report.goals.length} goals, ${report.plots.length} plots`);
}

/** `index.html`, `goals.md` and one SVG for each plot, all of them or none. */
export async function writeReport(report: Report, out: string): Promise<void> {
  const found = existsSync(out) ? readdirSync(out) : [];
  const isReport = found.includes('index.html') && found.includes('goals.md');
  const others = found.filter((name) => !isReport || !OWN.test(name));
  if (others.length > 0)
    throw new Error(`${out} holds other files than a report (${others[0]}); name a folder of its own`);
  const contents: [string, string][] = [
    ['index.html', reportDocument(report, await bundlePage())],
    ['goals.md', goalsMarkdown(report.goals)],
    ...report.plots.map((plot): [string, string] => [`${plot.id}.svg`, plotSvg(plot)]),
  ];
  const folder = path.resolve(out);
  mkdirSync(path.dirname(folder), { recursive: true });
  const partial = mkdtempSync(`${folder}.partial-`);
  try {
    for (const [name, content] of contents) writeFileSync(path.join(partial, name), content);
    chmodSync(partial, 0o755); // temporary folders are for their owner alone
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

const readFile = (file: string): RunOfFile => ({ ...readRun(file), file: file.replaceAll('\\', '/') });

function defaultFiles(): string[] {
  const names = existsSync(RESULTS) ? readdirSync(RESULTS).filter((name) => name.endsWith('.json')) : [];
  if (names.length === 0) throw new Error(`no JSON files in ${RESULTS}: run suites with --json first, or name files`);
  return names.sort().map((name) => `${RESULTS}/${name}`);
}
