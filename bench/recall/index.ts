// The suite 'recall': what share of the true lists comes back at default settings, whatever is asked.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish, RetrievalModel, type RetrieveRequest, type RetrieveStats, SilverlodeError } from 'silverlode';
import type { Metric } from '../data/given_set.js';
import { type BenchOptions, type BenchResult, type Suite, statistics } from '../support/suite.js';
import { asked, type Case, catalogueOf, type Limits } from './cases.js';
import { judge, summary, type Wanted, wanted } from './judge.js';
import { type RecallSet, SETS } from './sets.js';
import { type Heads, Truth } from './truth.js';

const SIZES = { quick: { items: 60_000, queries: 20 }, full: { items: Number.POSITIVE_INFINITY, queries: 100 } };
/** Below this many items `publish` makes a flat index; they are asked with as many clusters as their root, too. */
const AUTOMATIC = 50_000;
const ROUNDS = 5;
/** Of every case, at a target of 0.98: the mean recall, and that of the query at the end of the worst tenth. */
const MUST_HOLD = { mean: 0.97, tenth: 0.9 };

/** One request, the truth of it and what it may return. */
interface Question {
  request: RetrieveRequest;
  heads: Heads;
  limits: Limits;
  want: Wanted;
}

/** A set, the metric and the index that are asked. */
interface Subject {
  set: RecallSet;
  metric: Metric;
  truth: Truth;
  attributes: Record<string, Int32Array>;
  clusters: number | 'auto';
}

/** One result per case. */
async function* measured(
  title: string,
  subject: Subject,
  cases: readonly Case[],
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  options.progress?.(`${title}: publishing`);
  await using model = await published(subject, options);
  const { clusters } = model.describe() as { clusters: number };
  const everyCluster: RetrieveRequest = { probes: clusters };
  for (const heads of new Set(cases.map((each) => each.heads))) {
    const some = cases.filter((each) => each.heads === heads);
    options.progress?.(`${title}: the truth${heads === 1 ? '' : ` of ${heads} heads`}`);
    const questions = await questionsOf(subject, some, heads, options.signal);
    for (const each of some) {
      const own = (questions.get(each) as Question[]).map((question) => ({
        ...question,
        request: { ...question.request, ...(each.everyCluster ? everyCluster : {}) },
      }));
      const answered = await answers(model, each, own, subject.truth);
      yield { name: `${title}, ${each.name}`, ...answered.times, figures: { ...answered.figures, clusters } };
    }
  }
}

/** The model as a file that one thread serves, so that processor time is that of the work. */
async function published(
  { set, attributes, metric, clusters }: Subject,
  { device, threads }: BenchOptions,
): Promise<RetrievalModel> {
  const { items } = set;
  const folder = await mkdtemp(join(tmpdir(), 'silverlode-recall-'));
  try {
    const file = join(folder, 'set.silverlode');
    await using made = await publish({
      items: { ids: Int32Array.from({ length: items.shape[0] }, (_, item) => item), embeddings: items, attributes },
      index: { clusters, metric },
    });
    await made.save(file);
    return await RetrievalModel.load(file, { device, threads: threads || 1 });
  } finally {
    await rm(folder, { recursive: true, force: true }); // what is mapped stays readable
  }
}

/** The questions of every case; the true scores of a query are computed once for all of them. */
async function questionsOf(
  { set, truth }: Subject,
  cases: readonly Case[],
  heads: number,
  signal?: AbortSignal,
): Promise<Map<Case, Question[]>> {
  const { data, shape } = set.queries;
  const [count, dims] = shape;
  const questions = new Map(cases.map((each): [Case, Question[]] => [each, []]));
  for (let query = 0; query < count; query++) {
    const embedding = Array.from({ length: heads }, (_, head) => {
      const first = ((query + head) % count) * dims;
      return data.slice(first, first + dims);
    });
    const prepared = truth.heads(embedding);
    const known = asked(embedding, truth.scores(prepared));
    for (const [each, own] of questions) {
      const limits = each.limits(known);
      const { filter, exclude } = limits;
      const request = { embedding, k: each.k, filter, exclude };
      own.push({ request, heads: prepared, limits, want: wanted(each, known, limits) });
    }
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return questions;
}

/** Asks again and again: judged the first time, timed afterwards. */
async function answers(model: RetrievalModel, each: Case, questions: readonly Question[], truth: Truth) {
  const recalls = new Map<number, number[]>();
  const faults = { violations: 0, missing: 0 };
  const stats: RetrieveStats[] = [];
  for (const { request, heads, limits, want } of questions) {
    const result = await model.retrieve(request);
    stats.push(result.stats);
    const judged = judge(result.ids as number[], truth, each, heads, limits, want);
    faults.violations += judged.violations;
    faults.missing += judged.missing;
    for (const [at, { depth }] of want.depths.entries()) {
      const reached = judged.recalls[at];
      if (reached !== undefined) recalls.set(depth, [...(recalls.get(depth) ?? []), reached]);
    }
  }
  const times: number[] = [];
  const perRound: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (const { request } of questions) {
      const started = performance.now();
      await model.retrieve(request);
      times.push(performance.now() - started);
    }
    const { user, system } = process.cpuUsage(before);
    perRound.push((user + system) / questions.length);
  }
  const mean = (value: (stat: RetrieveStats) => number) =>
    stats.reduce((sum, stat) => sum + value(stat), 0) / stats.length;
  const figures: Record<string, number> = {};
  let lacks = 0;
  for (const [depth, list] of recalls) {
    const { mean: all, tenth, worst } = summary(list);
    lacks = Math.max(lacks, MUST_HOLD.mean - all, MUST_HOLD.tenth - tenth);
    Object.assign(figures, { [`recall@${depth}`]: all, [`p10@${depth}`]: tenth, [`worst@${depth}`]: worst });
  }
  Object.assign(figures, {
    lacks,
    'cpu us': statistics(perRound).medianMs,
    scanned: mean(({ scannedRows }) => scannedRows),
    probed: mean(({ probedClusters }) => probedClusters),
    eligible: questions.reduce((sum, { want }) => sum + want.eligible, 0) / questions.length,
    ...faults,
  });
  return { times: statistics(times), figures };
}

/** Metrics and clusters that a set is asked with, the whole suite only with the first. */
function variants(
  set: RecallSet,
  { metric, clusters }: BenchOptions,
): { metric: Metric; clusters: number | 'auto'; brief: boolean }[] {
  const [rows] = set.items.shape;
  const automatic = rows < AUTOMATIC ? (['auto', Math.round(Math.sqrt(rows))] as const) : (['auto'] as const);
  const metrics = metric === undefined ? set.metrics : [metric as Metric];
  return metrics.flatMap((each, at) =>
    (clusters ?? automatic).map((count) => ({ metric: each, clusters: count, brief: at > 0 })),
  );
}

const suite: Suite = {
  note:
    'Recall against exact lists, of what may come back, by float64 scores of the float32 vectors; a found item counts when its true score is at ' +
    'least that of the last of the true list. "p10": the query at the end of the worst tenth; "worst": the mean of that tenth; "lacks": how far a ' +
    'mean is below 0.97 or a p10 below 0.9. "cpu us": processor time of a whole call of retrieve, one request at a time, all threads together; ' +
    '"scanned": rows scored. Default settings; "every cluster" tells what int8 alone loses.',
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
        const chosen = cases.filter(
          (each) => `${title}, ${each.name}`.includes(options.filter) && (!brief || each.brief),
        );
        if (chosen.length === 0) continue;
        const truth = new Truth(set.items, metric);
        yield* measured(title, { set, metric, truth, attributes, clusters }, chosen, options);
      }
    }
  },
};

export default suite;
