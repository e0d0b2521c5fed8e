// How good the answers are: against exact search, against what people liked, and against the filters' own meaning.
import { type RetrievalModel, type RetrieveRequest, type RetrieveResult, SilverlodeError } from 'silverlode';
import type { DemoData, DemoFilter, Person } from './data.js';
import { exactScore, type Matrix } from './exact.js';
import type { OnProgress } from './progress.js';

const BATCH = 64;

/** Answers any number of requests, 64 per native run. Here a request that fails is a bug, so its error is thrown. */
export async function retrieveAll(
  model: RetrievalModel,
  requests: readonly RetrieveRequest[],
  onProgress?: OnProgress,
): Promise<RetrieveResult[]> {
  const results: RetrieveResult[] = [];
  for (let begin = 0; begin < requests.length; begin += BATCH) {
    for (const result of await model.retrieve(requests.slice(begin, begin + BATCH))) {
      if (result instanceof SilverlodeError) throw result;
      results.push(result);
    }
    onProgress?.('retrieving', results.length, requests.length);
  }
  return results;
}

/** overlap@k: the mean share of the exact lists that was found; of items that score the same, any will do. */
export function overlap(
  found: readonly (readonly number[])[],
  exact: readonly Int32Array[],
  queries: readonly Float32Array[],
  rows: Matrix,
): number {
  const shares = exact.map((list, i) => {
    const score = (row: number) => exactScore(queries[i] as Float32Array, rows, row);
    const least = Math.min(...Array.from(list, score));
    return Math.min(1, (found[i] ?? []).filter((row) => score(row) >= least).length / list.length);
  });
  return mean(shares);
}

/** recall@k: the mean share of the held-out items among the first k recommended. */
export function heldOutRecall(lists: readonly ArrayLike<unknown>[], people: readonly Person[], k: number): number {
  return mean(people.map(({ heldOut }, i) => share(Array.from(lists[i] as ArrayLike<unknown>).slice(0, k), heldOut)));
}

/** Requests of all people, without what they have seen. */
export function unseen(people: readonly Person[], options: RetrieveRequest): RetrieveRequest[] {
  return people.map(({ embedding, seen }) => ({ embedding, exclude: seen, ...options }));
}

/** What checking filters found; all but `expressions` should be 0. */
export interface FilterFindings {
  expressions: number;
  /** Returned items that do not match. */
  violations: number;
  /** Matching items that should have been returned and were not. */
  missed: number;
}

/**
 * Checks every filter against brute force: asked for all items, the model must return exactly those that match; asked for
 * 100, the best 100 of them in its own unfiltered order.
 */
export async function checkFilters(
  model: RetrievalModel,
  { filters, people }: Pick<DemoData, 'filters' | 'people'>,
  onProgress?: OnProgress,
): Promise<FilterFindings> {
  const findings = { expressions: filters.length, violations: 0, missed: 0 };
  for (const [done, { embedding }] of people.entries()) {
    const everything = await model.retrieve({ embedding, k: model.items });
    for (const { text, matches } of filters) {
      const eligible = (everything.ids as number[]).filter(matches);
      for (const k of [100, model.items]) {
        const { ids } = await model.retrieve({ embedding, filter: text, k });
        findings.violations += violations(ids as number[], { text, matches });
        findings.missed += missing(ids, eligible.slice(0, k));
      }
    }
    findings.missed += model.items - everything.ids.length;
    onProgress?.('checking filters', done + 1, people.length);
  }
  return findings;
}

/** For an approximate index, which may return other matching items, but never too few: `missed` counts results short of 100. */
export async function checkFiltersLoosely(
  model: RetrievalModel,
  { filters, people }: Pick<DemoData, 'filters' | 'people'>,
): Promise<FilterFindings> {
  const findings = { expressions: filters.length, violations: 0, missed: 0 };
  const items = Array.from({ length: model.items }, (_, item) => item);
  for (const { text, matches } of filters) {
    const wanted = Math.min(100, items.filter(matches).length);
    const results = await retrieveAll(
      model,
      people.map(({ embedding }) => ({ embedding, filter: text, k: 100 })),
    );
    for (const { ids } of results) {
      findings.violations += violations(ids as number[], { text, matches });
      findings.missed += wanted - ids.length;
    }
  }
  return findings;
}

function violations(ids: readonly number[], { matches }: DemoFilter): number {
  return ids.filter((item) => !matches(item)).length;
}

function missing(found: readonly unknown[], wanted: readonly unknown[]): number {
  const set = new Set(found);
  return wanted.filter((item) => !set.has(item)).length;
}

/** Share of `wanted` that is in `found`. */
function share(found: ArrayLike<unknown>, wanted: ArrayLike<unknown>): number {
  return wanted.length === 0 ? 1 : 1 - missing(Array.from(found), Array.from(wanted)) / wanted.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
