// The suite 'peers': other libraries beside Silverlode in one schedule, at equal recall.
import { availableParallelism } from 'node:os';
import { SilverlodeError } from 'silverlode';
import { givenSet } from '../data/given_set.js';
import { type SetFiles, standardSet } from '../data/standard_set.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { type Competitor, enter } from './arena.js';
import { compareOpen, comparePublish, describeMemory, listArrays } from './costs.js';
import { installPeers } from './install.js';
import { type Contestant, chosen, lineup } from './lineup.js';
import { BATCH, type Plan, planOf, scenarios } from './plan.js';
import { EngineError } from './protocol.js';
import { compareSearch } from './search.js';

function leftOut(name: string, reason: string): BenchResult {
  console.error(`left out: ${name}: ${reason}`);
  return { name: `left out: ${name} (${reason})`, medianMs: 0, samples: 0, figures: {} };
}

/** The set that was asked for; all engines are asked for inner products. */
async function setOf({ data }: BenchOptions, { size }: Plan): Promise<SetFiles> {
  console.error('making the set and its exact lists, unless they are kept');
  if (data === undefined) return standardSet(size);
  const { set, metric } = await givenSet(data, 'ip');
  if (metric !== 'ip')
    throw new SilverlodeError('INVALID_ARGUMENT', `peers are compared by inner products, not by ${metric}`);
  return { ...set, queries: set.queries - (set.queries % BATCH) }; // a batch never wraps
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
    'recall@100 against the exact float32 (filtered) truth, on the Pareto fronts. "silverlode again" is a second process of the same model: what differs there is noise. FAISS is called from Python with its settings made ' +
    'beforehand; its filter is a bitmap made beforehand, for Flat also a list of ids that each call makes from the column; "list of the eligible given" evaluates no filter and settles no goal. usearch has no filter in JavaScript: over-fetch, or exactSearch of rows that each call gathers. ' +
    'ScaNN and SVS take no filter. hnswlib-node runs its filter callback on one thread and has no batches. zvec takes one query a call; its filter is "field = true" over an inverted index. ' +
    'Engines that could not be installed or failed are results named "left out".',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const plan = planOf(options, availableParallelism());
    const wanted = scenarios(plan).filter(({ title }) => title.includes(options.filter));
    const has = (part: string) => part.includes(options.filter) || options.filter.startsWith(part);
    const installed = await installPeers(options.install === true);
    const contestants: Contestant[] = [];
    const set = await setOf(options, plan);
    for (const contestant of chosen(lineup(set.items, set.dims, installed), options.engines ?? [])) {
      const reason = contestant.needs && installed.missing.get(contestant.needs);
      if (reason === undefined) contestants.push(contestant);
      else yield leftOut(contestant.name, reason);
    }

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
    if (has('memory') && options.data === undefined) yield* listArrays(plan.size);
    const [silverlode] = contestants;
    if (has('load')) yield* compareOpen(contestants, set, plan);
    if (has('publish') && silverlode !== undefined) {
      const faiss = contestants.find(({ needs }) => needs === 'faiss');
      yield* comparePublish(silverlode, faiss, set, plan);
    }
  },
};

export default suite;
