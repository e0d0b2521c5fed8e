// Questions to a model, their truth, and what the answers are worth.
import type { RetrievalModel, RetrieveRequest, RetrieveResult, RetrieveStats } from 'silverlode';
import type { Truth } from '../../lib/index/truth.js';
import { type BenchResult, statistics } from '../support/suite.js';
import { asked, type Case, type Limits } from './cases.js';
import { depthsOf, type Judged, judge, summary, type Wanted, wanted } from './judge.js';
import type { RecallSet } from './sets.js';

/** One request and what an answer is judged by. */
export interface Question {
  request: RetrieveRequest;
  limits: Limits;
  want: Wanted;
  score: (item: number) => number;
}

/** Rounds in which a case is timed. */
const ROUNDS = 5;
/** Of every case, at a target of 0.98: the mean recall, and that of the query at the end of the worst tenth. */
const MUST_HOLD = { mean: 0.97, tenth: 0.9 };

/** The questions of cases with as many heads; the true scores of a query are computed once for all of them. */
export async function questionsOf(
  { items, queries: { data, shape } }: RecallSet,
  truth: Truth,
  cases: readonly Case[],
  signal?: AbortSignal,
): Promise<Map<Case, Question[]>> {
  const [count, dims] = shape;
  const heads = cases[0]?.heads ?? 1;
  const questions = new Map(cases.map((each): [Case, Question[]] => [each, []]));
  for (let query = 0; query < count; query++) {
    const embedding = Array.from({ length: heads }, (_, head) => {
      const first = ((query + head) % count) * dims;
      return data.slice(first, first + dims);
    });
    const score = truth.scorer(embedding);
    const scores = new Float64Array(items.shape[0]);
    for (let item = 0; item < scores.length; item++) scores[item] = score(item);
    const known = asked(embedding, scores);
    for (const [each, own] of questions) {
      const limits = each.limits(known);
      const { filter, exclude } = limits;
      const request = { embedding, k: each.k, filter, exclude };
      own.push({ request, limits, want: wanted(each, known, limits), score });
    }
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return questions;
}

/** Recall and cost of one case: judged once at default settings and once over every cluster, timed at default settings. */
export async function measure(
  model: RetrievalModel,
  each: Case,
  questions: readonly Question[],
): Promise<Omit<BenchResult, 'name'>> {
  const { clusters } = model.describe();
  const answers = await all(model, questions);
  const exhaustive = await all(model, questions, { probes: clusters });
  const { times, cost } = await timed(model, questions);
  const judged = judgedAll(each, questions, answers);
  const everyRow = judgedAll(each, questions, exhaustive);
  const figures: Record<string, number> = {};
  let lacks = 0;
  for (const [at, depth] of depthsOf(each.k).entries()) {
    const recalls = sharesAt(judged, at);
    if (recalls.length === 0) continue;
    const { mean, tenth, worst } = summary(recalls);
    lacks = Math.max(lacks, MUST_HOLD.mean - mean, MUST_HOLD.tenth - tenth);
    Object.assign(figures, { [`recall@${depth}`]: mean, [`p10@${depth}`]: tenth, [`worst@${depth}`]: worst });
    figures[`int8@${depth}`] = meanOf(sharesAt(everyRow, at));
    if (depth < each.k) figures[`held@${depth}`] = meanOf(sharesAt(judged, at, 'held'));
  }
  const mean = (value: (stats: RetrieveStats) => number) => meanOf(answers.map(({ stats }) => value(stats)));
  Object.assign(figures, {
    lacks,
    'cpu us': cost,
    scanned: mean(({ scannedRows }) => scannedRows),
    probed: mean(({ probedClusters }) => probedClusters),
    eligible: meanOf(questions.map(({ want }) => want.eligible)),
    violations: judged.reduce((sum, one) => sum + one.violations, 0),
    missing: judged.reduce((sum, one) => sum + one.missing, 0),
    clusters,
  });
  return { ...times, figures };
}

async function all(
  model: RetrievalModel,
  questions: readonly Question[],
  more: Partial<RetrieveRequest> = {},
): Promise<RetrieveResult[]> {
  const results: RetrieveResult[] = [];
  for (const { request } of questions) results.push(await model.retrieve({ ...request, ...more }));
  return results;
}

function judgedAll(each: Case, questions: readonly Question[], answers: readonly RetrieveResult[]): Judged[] {
  return questions.map(({ limits, want, score }, i) => judge(answers[i]?.ids as number[], each, limits, want, score));
}

const sharesAt = (judged: readonly Judged[], at: number, which: 'recalls' | 'held' = 'recalls'): number[] =>
  judged.map((one) => one[which][at]).filter((share) => share !== undefined);

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Times of single requests, and the median over rounds of their processor time, in microseconds. */
async function timed(model: RetrievalModel, questions: readonly Question[]) {
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
  return { times: statistics(times), cost: statistics(perRound).medianMs };
}
