// The suite 'serving': one process against a funnel of services that does the same task, under rising load on loopback.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { answers, measureLoad } from './load.js';
import { publishTask, type Side, startFunnel, startSilverlode } from './sides.js';
import { FULL, makeTask, QUICK, recall, type Task } from './task.js';
import { exactLists } from './truth.js';

const CONNECTIONS = [1, 8, 32, 128];
/** What both sides must find of the exact lists. */
const RECALL = 0.98;
/** Search effort of the funnel's HNSW, least first. */
const EXPANSIONS = [64, 128, 256, 512, 1024];
const PROBES = [8, 16, 24, 32, 48, 64, 80, 96, 128, 192];

interface Tuned {
  side: Side;
  effort: number;
  recall: number;
  hops: number[];
}

/** The least effort that reaches the recall; else the most. */
async function tune(
  efforts: readonly number[],
  task: Task,
  truth: number[][],
  start: (effort: number) => Promise<Side>,
): Promise<Tuned> {
  for (const effort of efforts) {
    const side = await start(effort);
    const { lists, hops } = await answers(side, truth.length);
    const found = recall(lists, truth);
    if (found >= RECALL || effort === efforts.at(-1)) return { side, effort, recall: found, hops };
    await side.stop();
  }
  throw new Error(`no effort for ${task.size.items} items`);
}

async function* measureSide(
  name: string,
  { side, effort, recall: found }: Tuned,
  task: Task,
  { quick, filter }: BenchOptions,
): AsyncGenerator<BenchResult> {
  await measureLoad(side, task.size.requests, 8, 1); // warm
  for (const connections of CONNECTIONS) {
    const full = `${name}, ${connections} connections`;
    if (!full.includes(filter)) continue;
    const { requestsPerSecond, cpuMicroseconds, p50, p95, p99, answered, failed } = await measureLoad(
      side,
      task.size.requests,
      connections,
      quick ? 2 : 6,
    );
    const figures = {
      'req/s': requestsPerSecond,
      'cpu us': cpuMicroseconds,
      'p95 ms': p95,
      'p99 ms': p99,
      recall: found,
      effort,
      failed,
    };
    yield { name: full, medianMs: p50, samples: answered, figures };
  }
  await side.stop();
}

const suite: Suite = {
  note:
    'Client and services share one machine, which may do other work too: compare sides of one run only. "cpu us" is processor time per answer of all processes of a side, which other work disturbs least. The funnel (tower, ' +
    'usearch HNSW with filter, reranker, front, one HTTP process each) has its networks in plain JavaScript and its filters as ' +
    'bitmaps cached by text; a native runtime would make its reranker faster. "effort" is probes, or expansion of the search.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const task = makeTask(options.quick ? QUICK : FULL);
    const truth = await exactLists(task);
    const folder = await mkdtemp(join(tmpdir(), 'silverlode-bench-'));
    const path = join(folder, 'items.silverlode');
    try {
      await publishTask(task, path);
      const batched = await tune(PROBES, task, truth, (probes) => startSilverlode(task, path, probes));
      yield* measureSide('silverlode, batching', batched, task, options);
      const single = { ...batched, side: await startSilverlode(task, path, batched.effort, ['--max-batch', '1']) };
      yield* measureSide('silverlode, one request per run', single, task, options);
      const funnel = await tune(EXPANSIONS, task, truth, (expansion) => startFunnel(task, expansion));
      const name = 'three services and a front';
      const [tower = 0, search = 0, reranker = 0] = funnel.hops;
      const hops = { 'tower ms': tower, 'search ms': search, 'rerank ms': reranker };
      yield {
        name: `${name}, hops of a lone request`,
        medianMs: tower + search + reranker,
        samples: truth.length,
        figures: hops,
      };
      yield* measureSide(name, funnel, task, options);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

export default suite;
