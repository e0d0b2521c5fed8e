// The suite 'peers': other libraries beside Silverlode in one schedule, at equal recall.
import { availableParallelism } from 'node:os';
import { standardSet } from '../data/standard_set.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { type Competitor, enter } from './arena.js';
import { compareOpen, comparePublish, describeMemory, listArrays } from './costs.js';
import { installPeers } from './install.js';
import { type Contestant, chosen, lineup } from './lineup.js';
import { planOf, scenarios } from './plan.js';
import { EngineError } from './protocol.js';
import { compareSearch } from './search.js';

function leftOut(name: string, reason: string): BenchResult {
  console.error(`left out: ${name}: ${reason}`);
  return { name: `left out: ${name} (${reason})`, medianMs: 0, samples: 0, figures: {} };
}

/** Starts each contestant; one that fails is named and left out. */
async function* enterAll(
  contestants: readonly Contestant[],
  set: Parameters<typeof enter>[1],
  competitors: Competitor[],
): AsyncGenerator<BenchResult> {
  for (const contestant of contestants) {
    try {
      competitors.push(await enter(contestant, set));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      yield leftOut(contestant.name, error.message);
    }
  }
}

const suite: Suite = {
  note:
    'Each engine is a process that loads an index built before (build times under "memory"). "1 thread" is one compute thread beside the ' +
    'one that calls. req/s is wall time, "cpu us" processor time of the process per query, medians over the rounds; goals compare wall time at equal ' +
    'recall@100 against the exact float32 (filtered) truth, on the Pareto fronts. FAISS is called from Python with its settings made ' +
    'beforehand; its filter is a bitmap made beforehand, for Flat also a list of ids that each call makes from the column; "list of the eligible given" evaluates no filter and settles no goal. usearch has no filter in JavaScript: over-fetch, or exactSearch of rows that each call gathers. ' +
    'hnswlib-node runs its filter callback on one thread and has no batches. zvec takes one query a call; its filter is "field = true" over an inverted index. ' +
    'Engines that could not be installed or failed are results named "left out".',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const plan = planOf(options, availableParallelism());
    const wanted = scenarios(plan).filter(({ title }) => title.includes(options.filter));
    const has = (part: string) => part.includes(options.filter) || options.filter.startsWith(part);
    const installed = await installPeers(options.install === true);
    const contestants: Contestant[] = [];
    for (const contestant of chosen(lineup(plan.size.items, plan.size.dims, installed), options.engines ?? [])) {
      const reason = contestant.needs && installed.missing.get(contestant.needs);
      if (reason === undefined) contestants.push(contestant);
      else yield leftOut(contestant.name, reason);
    }
    console.error(`making ${plan.size.items} x ${plan.size.dims} and its exact lists, unless they are kept`);
    const set = await standardSet(plan.size);

    if (wanted.length > 0 || has('memory')) {
      const competitors: Competitor[] = [];
      try {
        yield* enterAll(contestants, set, competitors);
        if (has('memory')) yield* describeMemory(competitors, set);
        const failures: BenchResult[] = [];
        if (wanted.length > 0)
          yield* compareSearch(competitors, wanted, set, plan, ({ contestant }, { message }) => {
            failures.push(leftOut(contestant.name, message));
          });
        yield* failures;
      } finally {
        await Promise.all(competitors.map(({ engine }) => engine.stop()));
      }
    }
    if (has('memory')) yield* listArrays(plan.size);
    const [silverlode] = contestants;
    if (has('load')) yield* compareOpen(contestants, set, plan);
    if (has('publish') && silverlode !== undefined) {
      const faiss = contestants.find(({ needs }) => needs === 'faiss');
      yield* comparePublish(silverlode, faiss, set, plan);
    }
  },
};

export default suite;
