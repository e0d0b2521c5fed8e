// The suite 'services': one process against a funnel of services that does the same task at the same recall, on one machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { compare, type Sizes } from './compare.js';
import { install } from './environment.js';
import { publishTask } from './model.js';
import { type Side, startServices, startSilverlode } from './sides.js';
import { FILTERS, FULL, makeTask, QUICK } from './task.js';
import { writeTask } from './task_files.js';
import { exactLists } from './truth.js';

const P99_BUDGET = 50;
const FULL_PLAN: Sizes = { recalls: [0.95, 0.98], budget: P99_BUDGET, repeats: 5, seconds: 5, trials: 7 };
const QUICK_PLAN: Sizes = { recalls: [0.95], budget: P99_BUDGET, repeats: 1, seconds: 1, trials: 4 };

const suite: Suite = {
  note:
    'Client and services share one machine, so compare sides of one run only. Requests come at a constant rate and latency counts from the planned time; the rate is the highest with p99 ' +
    `of at most ${P99_BUDGET} ms and no failure, median over repeats, sides alternating. "cpu us" is processor time per answer of all processes of a side at saturation, "client us" that of the load ` +
    "generator, which is its own process. Services: front (fastify, undici), tower and reranker (onnxruntime-node, one thread each; the reranker's graph holds item vectors, value formula and " +
    'top-k), search (FAISS IVF,SQ8 with IDSelectorBitmap behind FastAPI; bitmaps made beforehand, concurrent queries gathered). Bodies are binary on both sides and between services. Probes are tuned ' +
    'per filter on both sides to the recall of the final list against exact float32 search and ranking.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const { quick, filter, threads, repeats, signal, progress = () => undefined } = options;
    await install(options.install ?? false, progress);
    const task = makeTask(quick ? QUICK : FULL);
    progress('exact lists, on one thread');
    const truth = await exactLists(task);
    const folder = await mkdtemp(join(tmpdir(), 'silverlode-bench-'));
    const sides: Side[] = [];
    try {
      const path = join(folder, 'items.silverlode');
      progress('publishing, and starting both sides');
      await publishTask(task, path);
      await writeTask(task, folder);
      const texts = FILTERS.map(({ text }) => text);
      sides.push(await startSilverlode(path, task.size, texts, threads));
      sides.push(await startServices(folder, task.size, threads));
      const sizes = quick ? QUICK_PLAN : FULL_PLAN;
      const plan = { ...sizes, repeats: repeats ?? sizes.repeats, signal, progress };
      for await (const result of compare(sides as [Side, Side], task.requests, truth, plan))
        if (result.name.includes(filter)) yield result;
    } finally {
      for (const side of sides) await side.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

export default suite;
