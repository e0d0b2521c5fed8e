// A model over a set, asked and judged.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish, RetrievalModel } from 'silverlode';
import { Truth } from '../../lib/index/truth.js';
import type { Vectors } from '../../lib/io/vectors.js';
import type { Metric } from '../data/given_set.js';
import { type LoadedSet, readSet } from '../data/set_files.js';
import { type SetFiles, truthOf } from '../data/standard_set.js';
import { type BenchOptions, measure } from '../support/suite.js';
import { judge } from './answers.js';

export const BATCH = 64;
/** The longest batch that runs as one. */
const MAX_BATCH = 256;
/** Below this many items `publish` would make a flat index. */
const AUTOMATIC = 50_000;

/** A model on some threads, and the set that it was published from. */
export interface Subject {
  model: RetrievalModel;
  set: LoadedSet;
  /** The true score of an item for a query of the set. */
  score(query: number, item: number): number;
  /** As in names of results: `1 thread`. */
  threads: string;
}

/** What is asked; probes as tuned by `publish` unless given. */
export interface Ask {
  k: number;
  /** Name of a filter of the set; empty: none. */
  filter: string;
  probes?: number;
}

/**
 * Publishes a set once and opens it for every number of threads.
 *
 * @param threads 0: the default, as many as there are cores.
 */
export async function openSubjects(
  files: SetFiles,
  metric: Metric,
  threads: readonly number[],
  progress: BenchOptions['progress'],
): Promise<Subject[]> {
  const set = await readSet(files, { rows: true });
  const truth = new Truth({ data: set.rows as Vectors['data'], shape: [set.items, set.dims] }, metric);
  const scorers = Array.from({ length: files.queries }, (_, query) => truth.scorer([set.query(query)]));
  const score: Subject['score'] = (query, item) => (scorers[query] as (item: number) => number)(item);
  const attributes: Record<string, boolean[]> = {};
  for (const filter of files.filters) attributes[filter] = Array.from(await set.mask(filter), (byte) => byte === 1);
  progress?.(`publishing ${set.items} x ${set.dims}`);
  const folder = await mkdtemp(join(tmpdir(), 'silverlode-bench-'));
  const file = join(folder, 'set.silverlode');
  try {
    await using published = await publish({
      items: {
        ids: Int32Array.from({ length: set.items }, (_, item) => item),
        embeddings: { data: set.rows, shape: [set.items, set.dims] },
        attributes,
      },
      index: { clusters: set.items < AUTOMATIC ? Math.round(Math.sqrt(set.items)) : 'auto', metric },
    });
    await published.save(file);
    const open = async (count: number): Promise<Subject> => ({
      model: await RetrievalModel.load(file, { device: 'cpu', threads: count || undefined, maxBatch: MAX_BATCH }),
      set,
      score,
      threads: count === 0 ? 'all threads' : count === 1 ? '1 thread' : `${count} threads`,
    });
    return await Promise.all(threads.map(open));
  } finally {
    await rm(folder, { recursive: true, force: true }); // what is mapped stays readable
  }
}

const text = (filter: string): string | undefined => (filter === '' ? undefined : `${filter}:true`);

/** Queries from `first` on, in one call. */
export function ask({ model, set }: Subject, first: number, count: number, { filter, ...request }: Ask) {
  const row = first % Math.max(1, set.files.queries - count + 1);
  return model.retrieveBatch({
    ...request,
    embeddings: set.queries.subarray(row * set.dims, (row + count) * set.dims),
    count,
    filters: filter === '' ? undefined : Array<string | undefined>(count).fill(text(filter)),
  });
}

/** Recall and faults of all queries, as figures. */
export async function judged(subject: Subject, asked: Ask): Promise<Record<string, number>> {
  const { set, score } = subject;
  const { ids, offsets } = await ask(subject, 0, set.files.queries, asked);
  const mask = asked.filter === '' ? undefined : await set.mask(asked.filter);
  const truth = await truthOf(set.files, asked.filter);
  const { recall, depth, ...faults } = judge(
    { ids: ids as Int32Array, offsets },
    asked.k,
    truth,
    set.items,
    mask,
    score,
  );
  return { [`recall@${depth}`]: recall, ...faults };
}

/** Calls of `count` queries one after another, one query by `retrieve`. */
export async function timeOf(subject: Subject, count: number, asked: Ask, options: BenchOptions) {
  const { model, set } = subject;
  const { filter, ...request } = asked;
  let next = 0;
  const single = () => model.retrieve({ ...request, embedding: set.query(next++), filter: text(filter) });
  const batch = () => {
    next += count;
    return ask(subject, next, count, asked);
  };
  const times = await measure(count === 1 ? single : batch, options);
  return { times, speed: (1000 * count) / times.medianMs };
}

export const howMany = (count: number): string => (count === 1 ? 'one at a time' : `batches of ${count}`);
