// The suite 'load': from a file to the first answer in a fresh process, and what a model keeps in memory (goals C9 and C11).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publish } from 'silverlode';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { ArrayFolder } from '../parts/files.js';
import { describeArrays } from '../peers/costs.js';
import { type BenchOptions, type BenchResult, type Suite, statistics } from '../support/suite.js';
import type { Loaded } from './fresh_process.js';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('fresh_process.js', import.meta.url));
const WAYS = { 'checksums verified': true, 'verify: false': false } as const;

async function loadOnce(path: string, verify: boolean, dims: number): Promise<Loaded> {
  const { stdout } = await run(process.execPath, [SCRIPT, path, String(verify), String(dims)]);
  return JSON.parse(stdout) as Loaded;
}

function* results(times: ReadonlyMap<string, readonly Loaded[]>, items: number, dims: number): Generator<BenchResult> {
  const middle = (all: readonly Loaded[], of: (each: Loaded) => number) => statistics(all.map(of)).medianMs;
  for (const [way, all] of times) {
    const { medianMs, spreadMs, samples } = statistics(all.map(({ loadMs, firstMs }) => loadMs + firstMs));
    const figures = {
      items,
      'load ms': middle(all, ({ loadMs }) => loadMs),
      'first answer ms': middle(all, ({ firstMs }) => firstMs),
      'process start ms': middle(all, ({ startMs }) => startMs),
      'resident MB': middle(all, ({ residentBytes }) => residentBytes) / 1e6,
      'own MB': middle(all, ({ ownBytes }) => ownBytes) / 1e6,
    };
    const plot = { title: 'Load to first answer', series: way, x: 'items', y: 'ms' };
    yield { name: `load ${items} x ${dims} to first answer, ${way}`, medianMs, spreadMs, samples, figures, plot };
  }
}

const suite: Suite = {
  note:
    'A process per load, both ways in turn, the file in the page cache. Load and first answer without the start of Node and the package, which "process start" is. ' +
    'resident: what the process got more of, mapped pages of the file among them, which processes share; own: what no file backs. ' +
    'Arrays: as in the file. Beside FAISS read_index: npm run bench -- peers --filter load.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const dims = options.quick ? 64 : 128;
    const sizes = options.items ? [options.items] : options.quick ? [20_000] : [100_000, 1_000_000];
    for (const items of sizes) {
      if (!`load ${items} x ${dims}`.includes(options.filter) && options.filter !== 'memory') continue;
      options.progress?.(`${items} items: publishing`);
      const { ids, embeddings, attributes } = makeCatalogue({ items, dims, queries: 1, users: 1, seed: 1 });
      const { language, tags, creator, year, price } = attributes;
      const started = performance.now();
      await using model = await publish({
        items: { ids, embeddings, attributes: { language, tags, creator, year, price } },
        index: { clusters: items < 50_000 ? Math.round(Math.sqrt(items)) : 'auto', probes: 32 },
        threads: options.threads || undefined,
      });
      const publishMs = performance.now() - started;
      await using folder = await ArrayFolder.make();
      const path = join(folder.path, 'model.silverlode');
      await model.save(path);
      const times = new Map(Object.keys(WAYS).map((way) => [way, [] as Loaded[]]));
      for (let round = 0; round < (options.repeats ?? (options.quick ? 3 : 7)); round++) {
        for (const [way, verify] of Object.entries(WAYS)) {
          options.signal?.throwIfAborted();
          times.get(way)?.push(await loadOnce(path, verify, dims));
        }
      }
      yield* results(times, items, dims);
      yield* describeArrays(model, { items, dims }, publishMs);
    }
  },
};

export default suite;
