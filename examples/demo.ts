// npm run demo [-- --json]
//
// Publishes a catalogue, saves and loads it, recommends to real people and evaluates the answers: on goodbooks-10k when
// SILVERLODE_DATA names a folder that holds it, else on a seeded synthetic catalogue of 100 000 items.
import { parseArgs } from 'node:util';
import { loadDemoData } from './demo/data.js';
import { publishModels } from './demo/models.js';
import { terminalProgress } from './demo/progress.js';
import { evaluate, reportText } from './demo/report.js';
import { showPerson } from './demo/show.js';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const progress = terminalProgress();

function print(text: string): void {
  progress.clear();
  if (!options.json) console.log(text);
}

/** Six digits are plenty for a measured number; counts stay as they are. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(6));
}

async function main(): Promise<void> {
  const data = await loadDemoData();
  print(`${data.about}, ${data.items.ids.length} items\nfilter: ${data.shownFilter}\n`);
  await using models = await publishModels(data, progress.update);

  if (!options.json) {
    for (const person of data.people.slice(0, 3)) print(`${await showPerson(data, models, person)}\n`);
  }
  const report = await evaluate(data, models, progress.update);
  print(`${report.users} people, ${report.device} (${report.simd}, ${report.threads} threads)\n${reportText(report)}`);
  if (options.json)
    console.log(JSON.stringify(report, (_, value) => (Number.isFinite(value) ? rounded(value) : value)));
}

await main();
