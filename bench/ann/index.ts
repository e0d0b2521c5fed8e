// The suite 'ann': how recall and cost of retrieval go with effort, filter, batch, k and the number of items.
import { givenSet, type Metric } from '../data/given_set.js';
import { standardSet, standardSize } from '../data/standard_set.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { curves } from './curves.js';
import { growth, sizes } from './growth.js';
import { openSubjects, type Subject } from './subject.js';

const ITEMS = { quick: 20_000, full: 200_000 };
const QUERIES = { quick: 128, full: 1000 };

/** The set that was asked for. */
async function setOf({ data, metric = 'ip', quick, items }: BenchOptions) {
  if (data !== undefined) return givenSet(data, metric as Metric);
  const size = quick ? 'quick' : 'full';
  return { set: await standardSet(standardSize(items ?? ITEMS[size], quick, QUERIES[size])), metric: 'ip' as const };
}

const suite: Suite = {
  note:
    'Whole calls from JavaScript: retrieve for one request, retrieveBatch for batches. Recall is against the exact float32 lists under the same ' +
    'filter; "violations" are items that a filter excludes, "missing" what lists lack of min(k, eligible): both must be 0. Curves sweep probes; ' +
    'an item that scores as much as the last of the list counts. Costs are at default settings, on all threads unless ' +
    '--threads says otherwise. "1 thread" is one compute thread beside the one that calls.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    options.progress?.('making the set and its exact lists, unless they are kept');
    const { set, metric } = await setOf(options);
    const threads = options.threads === 0 ? [1, 0] : [options.threads];
    const subjects = await openSubjects(set, metric, threads, options.progress);
    try {
      yield* curves(subjects, options);
      yield* growth(subjects.at(-1) as Subject, options);
    } finally {
      for (const { model } of subjects) await model.close();
    }
    if (options.data === undefined && options.items === undefined) yield* sizes(options);
  },
};

export default suite;
