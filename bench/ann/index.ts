// The suite 'ann': how recall and cost of retrieval go with effort, filter, batch, k and the number of items.
import { type PublishOptions, publish, type RetrievalModel } from 'silverlode';
import { givenSet, type Metric } from '../data/given_set.js';
import { type LoadedSet, readSet } from '../data/set_files.js';
import { K, recallOf, type SetFiles, standardSet, truthOf } from '../data/standard_set.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

const BATCH = 64;
const PROBES = [4, 8, 16, 32, 64, 128, 256, 512];
const BATCHES = [1, 4, 16, 64, 256];
const DEPTHS = [10, 30, 100, 300, 1000];

/** A model over a set. */
interface Subject {
  model: RetrievalModel;
  set: LoadedSet;
}

interface Request {
  k: number;
  filter: string;
  probes?: number;
}

async function open(files: SetFiles, metric: Metric, threads: number): Promise<Subject> {
  const set = await readSet(files, { rows: true });
  const attributes: Record<string, boolean[]> = {};
  for (const filter of files.filters) attributes[filter] = Array.from(await set.mask(filter), (byte) => byte === 1);
  const items: PublishOptions['items'] = {
    ids: Int32Array.from({ length: set.items }, (_, item) => item),
    embeddings: { data: set.rows, shape: [set.items, set.dims] },
    attributes,
  };
  const sample = { data: set.queries, shape: [files.queries, set.dims] } as const;
  const clusters = set.items < 50_000 ? Math.round(Math.sqrt(set.items)) : 'auto';
  return {
    model: await publish({ items, index: { clusters, metric }, queries: sample, threads: threads || undefined }),
    set,
  };
}

function ask({ model, set }: Subject, first: number, count: number, { k, filter, probes }: Request) {
  const row = first % Math.max(1, set.files.queries - count + 1);
  return model.retrieveBatch({
    embeddings: set.queries.subarray(row * set.dims, (row + count) * set.dims),
    count,
    k,
    probes,
    filters: filter === '' ? undefined : Array<string>(count).fill(filter),
  });
}

/** Recall against the exact float32 lists, and what an answer must never have: items that the filter excludes, too few items. */
async function check(subject: Subject, request: Request): Promise<Record<string, number>> {
  const { set } = subject;
  const { queries } = set.files;
  const { ids, offsets } = await ask(subject, 0, queries, request);
  const mask = request.filter === '' ? undefined : await set.mask(maskOf(request.filter));
  const eligible = mask === undefined ? set.items : mask.reduce((sum, byte) => sum + byte, 0);
  const found = new Int32Array(queries * K).fill(-1);
  let violations = 0;
  let missing = 0;
  for (let query = 0; query < queries; query++) {
    const list = (ids as Int32Array).subarray(offsets[query], offsets[query + 1]);
    found.set(list.subarray(0, K), query * K);
    violations += list.reduce((sum, id) => sum + Number(mask !== undefined && mask[id] !== 1), 0);
    missing += Math.min(request.k, eligible) - list.length;
  }
  const truth = await truthOf(set.files, maskOf(request.filter));
  return { 'recall@100': recallOf(found, truth, queries), violations, missing };
}

const maskOf = (filter: string): string => filter.replace(/:true$/, '');

/** One request after another, `count` queries each. */
async function timeOf(subject: Subject, count: number, request: Request, options: BenchOptions) {
  let next = 0;
  const { queries, dims } = { queries: subject.set.files.queries, dims: subject.set.dims };
  const work =
    count === 1
      ? () => {
          const row = next++ % queries;
          const embedding = subject.set.queries.subarray(row * dims, (row + 1) * dims);
          return subject.model.retrieve({ embedding, ...request, filter: request.filter || undefined });
        }
      : () => {
          next += count;
          return ask(subject, next, count, request);
        };
  const times = await measure(work, options);
  return { ...times, 'req/s': (1000 * count) / times.medianMs };
}

async function* curves(subject: Subject, options: BenchOptions): AsyncGenerator<BenchResult> {
  const { clusters } = subject.model.describe() as { clusters: number };
  const filters = ['', ...subject.set.files.filters.map((filter) => `${filter}:true`)];
  const efforts = PROBES.filter((probes) => probes < clusters).filter((_, i) => !options.quick || i % 3 === 0);
  for (const filter of filters) {
    for (const probes of efforts) {
      const request = { k: K, filter, probes };
      for (const count of [1, BATCH]) {
        const title = `${count === 1 ? 'one at a time' : `batches of ${count}`}, ${filter || 'no filter'}`;
        const name = `${title}, ${probes} probes`;
        if (!name.includes(options.filter)) continue;
        const { 'req/s': speed, ...times } = await timeOf(subject, count, request, options);
        yield {
          name,
          ...times,
          figures: { ...(await check(subject, request)), 'req/s': speed, probes },
          plot: {
            title: `Silverlode, ${count === 1 ? 'one at a time' : `batches of ${count}`}`,
            series: filter || 'no filter',
            x: 'recall@100',
            y: 'req/s',
          },
        };
      }
    }
  }
}

/** What one more of something costs, the rest at defaults. */
async function* growth(subject: Subject, options: BenchOptions): AsyncGenerator<BenchResult> {
  const defaults = await check(subject, { k: K, filter: '' });
  for (const count of BATCHES.filter((each) => !options.quick || each <= BATCH)) {
    const name = `cost over batch, ${count}`;
    if (!name.includes(options.filter) || count > subject.set.files.queries) continue;
    const { 'req/s': speed, ...times } = await timeOf(subject, count, { k: K, filter: '' }, options);
    const figures = { ...defaults, batch: count, 'req/s': speed };
    yield { name, ...times, figures, plot: { title: 'Cost over batch', series: 'silverlode', x: 'batch', y: 'ms' } };
  }
  for (const k of DEPTHS) {
    const name = `cost over k, ${k}`;
    if (!name.includes(options.filter) || k > subject.set.items) continue;
    const { 'req/s': speed, ...times } = await timeOf(subject, 1, { k, filter: '' }, options);
    const figures = { k, 'req/s': speed };
    yield { name, ...times, figures, plot: { title: 'Cost over k', series: 'silverlode', x: 'k', y: 'ms' } };
  }
  for (const filter of subject.set.files.filters) {
    const name = `cost over selectivity, ${filter}`;
    if (!name.includes(options.filter)) continue;
    const mask = await subject.set.mask(filter);
    const eligible = mask.reduce((sum, byte) => sum + byte, 0) / subject.set.items;
    const request = { k: K, filter: `${filter}:true` };
    const { 'req/s': speed, ...times } = await timeOf(subject, 1, request, options);
    const figures = { ...(await check(subject, request)), eligible, 'req/s': speed };
    const series = filter.startsWith('c') ? 'eligible by cluster' : 'eligible at random';
    yield { name, ...times, figures, plot: { title: 'Cost over selectivity', series, x: 'eligible', y: 'ms' } };
  }
}

/** The same over sets of rising size, at default settings tuned by `publish`. */
async function* sizes(options: BenchOptions): AsyncGenerator<BenchResult> {
  for (const items of options.quick ? [2_000, 8_000] : [10_000, 30_000, 100_000, 300_000, 1_000_000]) {
    const name = `cost over items, ${items}`;
    if (!name.includes(options.filter)) continue;
    options.progress?.(`making ${items} items and their exact lists, unless they are kept`);
    const dims = options.quick ? 64 : 128;
    const files = await standardSet({
      items,
      dims,
      clusters: Math.min(2000, items / 100),
      queries: options.quick ? 64 : 256,
    });
    const subject = await open(files, 'ip', options.threads);
    for (const count of [1, BATCH]) {
      const { 'req/s': speed, ...times } = await timeOf(subject, count, { k: K, filter: '' }, options);
      yield {
        name: `${name}, ${count === 1 ? 'one at a time' : `batches of ${count}`}`,
        ...times,
        figures: {
          ...(await check(subject, { k: K, filter: '' })),
          items,
          'us/request': (1000 * times.medianMs) / count,
          'req/s': speed,
        },
        plot: {
          title: 'Cost over items',
          series: count === 1 ? 'one at a time' : `batches of ${count}`,
          x: 'items',
          y: 'us/request',
        },
      };
    }
    await subject.model.close();
  }
}

const suite: Suite = {
  note:
    'Whole calls from JavaScript. recall@100 is against the exact float32 lists under the same filter; "violations" are items that a filter ' +
    'excludes, "missing" what lists lack of min(k, eligible): both must be 0. Curves sweep probes; the rest runs at what publish tuned (recall 0.99 ' +
    'of the exhaustive int8 result).',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const standard = options.quick
      ? { items: 20_000, dims: 64, clusters: 200, queries: 128 }
      : { items: options.items ?? 200_000, dims: 128, clusters: 2000, queries: 256 };
    options.progress?.('making the set and its exact lists, unless they are kept');
    const { set, metric } =
      options.data === undefined
        ? { set: await standardSet(standard), metric: 'ip' as const }
        : await givenSet(options.data, (options.metric ?? 'ip') as Metric);
    const subject = await open(set, metric, options.threads);
    yield* curves(subject, options);
    yield* growth(subject, options);
    await subject.model.close();
    if (options.data === undefined) yield* sizes(options);
  },
};

export default suite;
