// The suite 'recall': what share of the true lists comes back at default settings, whatever is asked.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish, RetrievalModel, SilverlodeError } from 'silverlode';
import { Truth } from '../../lib/index/truth.js';
import type { Metric } from '../data/given_set.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { measure, type Question, questionsOf } from './ask.js';
import { type Case, catalogueOf } from './cases.js';
import { type RecallSet, SETS } from './sets.js';

const SIZES = { quick: { items: 60_000, queries: 20 }, full: { items: Number.POSITIVE_INFINITY, queries: 100 } };
/** Below this many items `publish` makes a flat index; they are asked with as many clusters as their root, too. */
const AUTOMATIC = 50_000;
/** Items of one update. */
const UPDATE = 1000;

/** A set, the metric and the index that are asked. */
interface Subject {
  set: RecallSet;
  attributes: Record<string, Int32Array>;
  metric: Metric;
  clusters: number | 'auto';
}

/** One result per case. */
async function* measured(
  title: string,
  subject: Subject,
  cases: readonly Case[],
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  const { set, metric } = subject;
  options.progress?.(`${title}: publishing`);
  await using model = await published(subject, options);
  const truth = new Truth(set.items, metric, set.bias);
  for (const heads of new Set(cases.map((each) => each.heads))) {
    const some = cases.filter((each) => each.heads === heads);
    options.progress?.(`${title}: the truth${heads === 1 ? '' : ` of ${heads} heads`}`);
    const questions = await questionsOf(set, truth, some, options.signal);
    for (const each of some)
      yield { name: `${title}, ${each.name}`, ...(await measure(model, each, questions.get(each) as Question[])) };
  }
}

/** The model as a file that one thread serves, so that processor time is that of the work. */
async function published(subject: Subject, { device, threads }: BenchOptions): Promise<RetrievalModel> {
  const { set, metric, clusters } = subject;
  const { published: count = set.items.shape[0], bias } = set;
  const folder = await mkdtemp(join(tmpdir(), 'silverlode-recall-'));
  try {
    const file = join(folder, 'set.silverlode');
    const items = itemsOf(subject, 0, count);
    await using made = await publish({ items, index: { clusters, metric, bias: bias?.subarray(0, count) } });
    for (let first = count; first < set.items.shape[0]; first += UPDATE)
      await made.upsert(itemsOf(subject, first, Math.min(UPDATE, set.items.shape[0] - first)));
    if (set.compacted) await made.compact();
    await made.save(file);
    return await RetrievalModel.load(file, { device, threads: threads || 1 });
  } finally {
    await rm(folder, { recursive: true, force: true }); // what is mapped stays readable
  }
}

/** Rows of a set as `publish` and `upsert` take them; an id is the row. */
function itemsOf({ set: { items }, attributes }: Subject, first: number, count: number) {
  const dims = items.shape[1];
  const columns = Object.entries(attributes).map(([name, column]) => [name, column.subarray(first, first + count)]);
  return {
    ids: Int32Array.from({ length: count }, (_, row) => first + row),
    embeddings: { data: items.data.subarray(first * dims, (first + count) * dims), shape: [count, dims] },
    attributes: Object.fromEntries(columns) as Record<string, Int32Array>,
  };
}

/** Metrics and clusters that a set is asked with, the whole suite only with the first. */
function variants({ items, metrics, brief = false }: RecallSet, { metric, clusters }: BenchOptions) {
  const [rows] = items.shape;
  const automatic = rows < AUTOMATIC ? (['auto', Math.round(Math.sqrt(rows))] as const) : (['auto'] as const);
  const asked = metric === undefined ? metrics : [metric as Metric];
  return asked.flatMap((each, at) =>
    (clusters ?? automatic).map((count) => ({ metric: each, clusters: count, brief: brief || at > 0 })),
  );
}

const suite: Suite = {
  note:
    'Recall against exact lists, of what may come back, by float64 scores of the float32 vectors; a found item counts when its true score is at ' +
    'least that of the last of the true list. "p10": the query at the end of the worst tenth; "worst": the mean of that tenth; "lacks": how far a ' +
    'mean is below 0.97 or a p10 below 0.9; "int8": the mean recall of the exhaustive int8 search; "held": the mean share of the true first 10 anywhere in the list. "cpu us": processor time of a whole call of ' +
    'retrieve, one request at a time, all threads together; "scanned": rows scored. Default settings.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    for (const name of options.sets ?? Object.keys(SETS)) {
      const make = SETS[name];
      if (make === undefined) throw new Error(`no set ${name}; there are: ${Object.keys(SETS).join(', ')}`);
      options.progress?.(`${name}: making the set`);
      const set = await make(SIZES[options.quick ? 'quick' : 'full']).catch((error: unknown) => {
        if (options.sets !== undefined || !(error instanceof SilverlodeError)) throw error;
        options.progress?.(`${name}: left out: ${error.message}`);
      });
      if (set === undefined) continue;
      const { attributes, cases } = catalogueOf(set);
      for (const { metric, clusters, brief } of variants(set, options)) {
        const title = `${name}, ${metric}, ${clusters} clusters`;
        const isAsked = (each: Case) => `${title}, ${each.name}`.includes(options.filter) && (!brief || each.brief);
        const chosen = cases.filter(isAsked);
        if (chosen.length > 0) yield* measured(title, { set, attributes, metric, clusters }, chosen, options);
      }
    }
  },
};

export default suite;
