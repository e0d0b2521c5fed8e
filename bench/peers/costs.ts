// C8, C9 and C11: what publishing, loading and keeping an index cost.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, type RetrievalModel } from 'silverlode';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { readSet } from '../data/set_files.js';
import { K, type SetFiles, type SetSize } from '../data/standard_set.js';
import type { BenchResult } from '../support/suite.js';
import { buildIndex, type Competitor } from './arena.js';
import { median } from './curves.js';
import { EngineProcess } from './engine_process.js';
import type { Contestant } from './lineup.js';
import type { Plan } from './plan.js';
import type { Times } from './protocol.js';

/** A side of a comparison: what it is called, and one measurement of it. */
interface Side {
  name: string;
  run(): Promise<Times>;
}

/** The sides in turn, repeat after repeat. */
async function alternate(sides: readonly Side[], repeats: number): Promise<Map<string, Times[]>> {
  const times = new Map(sides.map(({ name }) => [name, [] as Times[]]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const side of sides) times.get(side.name)?.push(await side.run());
  }
  return times;
}

const wall = (times: readonly Times[]): number => median(times.map(({ wallSeconds }) => wallSeconds));
const cpu = (times: readonly Times[]): number => median(times.map(({ cpuSeconds }) => cpuSeconds));

/** k-means, rows by cluster and int8 rows, without attributes and tuning on either side. */
export async function* comparePublish(
  silverlode: Contestant,
  faiss: Contestant | undefined,
  set: SetFiles,
  { publishClusters: clusters, threads, repeats }: Plan,
): AsyncGenerator<BenchResult> {
  const own = new EngineProcess(silverlode.name, silverlode.command());
  const peer = faiss && new EngineProcess(faiss.name, faiss.command());
  const fileOf = (name: string) => join(set.folder, `assignments-${name}.i32`);
  const side = (name: string, engine: EngineProcess, iterations: number): Side => ({
    name,
    run: () =>
      engine.ask(
        'cluster',
        { set, clusters, iterations, threads, assignmentsFile: fileOf(name.replace(/\W+/g, '-')) },
        3600,
      ),
  });
  const ours = side('silverlode', own, 0);
  const theirs =
    peer === undefined
      ? []
      : [10, 25].map((n) => side(`FAISS IVF${clusters},SQ8 train and add, ${n} iterations`, peer, n));
  try {
    const times = await alternate([ours, ...theirs], repeats);
    const { rows, dims } = await readSet(set, { rows: true });
    const seconds = wall(times.get(ours.name) as Times[]);
    for (const { name } of [ours, ...theirs]) {
      const mine = times.get(name) as Times[];
      const bytes = await readFile(fileOf(name.replace(/\W+/g, '-')));
      const assignments = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const ratio = wall(mine) / seconds;
      yield {
        name: `publish ${set.items} x ${dims}, ${clusters} clusters, ${threads} threads: ${name}`,
        medianMs: 1000 * wall(mine),
        samples: mine.length,
        figures: {
          'cpu s': cpu(mine),
          'quantisation error': quantisationError(rows, dims, assignments, clusters),
          ratio,
        },
        plot: { title: `Publishing into ${clusters} clusters`, series: name, x: 'quantisation error', y: 'cpu s' },
        goal: name === ours.name ? undefined : { id: 'C8', against: name, ratio, wanted: 2 },
      };
    }
  } finally {
    await own.stop();
    await peer?.stop();
  }
}

/** Mean squared distance of the rows to the mean of their cluster, in float64: says how good a partition is, whoever made it. */
export function quantisationError(rows: Float32Array, dims: number, assignments: Int32Array, clusters: number): number {
  const means = new Float64Array(clusters * dims);
  const counts = new Int32Array(clusters);
  assignments.forEach((cluster, item) => {
    counts[cluster] = (counts[cluster] as number) + 1;
    for (let dim = 0; dim < dims; dim++)
      means[cluster * dims + dim] = (means[cluster * dims + dim] as number) + (rows[item * dims + dim] as number);
  });
  let sum = 0;
  assignments.forEach((cluster, item) => {
    const count = counts[cluster] as number;
    for (let dim = 0; dim < dims; dim++)
      sum += ((rows[item * dims + dim] as number) - (means[cluster * dims + dim] as number) / count) ** 2;
  });
  return sum / assignments.length;
}

/** How an engine opens its files, and what it is called. */
const WAYS: Readonly<Record<string, readonly [how: string, name: string][]>> = {
  silverlode: [
    ['verified', 'silverlode, checksums verified'],
    ['mapped', 'silverlode, verify: false'],
  ],
  'faiss-ivf-sq8': [
    ['read', 'FAISS read_index'],
    ['mmap', 'FAISS read_index, IO_FLAG_MMAP_IFC'],
  ],
  'usearch-i8': [
    ['load', 'usearch i8 load'],
    ['view', 'usearch i8 view'],
  ],
};

/** From files in the page cache to the first answer, in processes that are already running. */
export async function* compareOpen(
  contestants: readonly Contestant[],
  set: SetFiles,
  { repeats }: Plan,
): AsyncGenerator<BenchResult> {
  const engines: EngineProcess[] = [];
  const sides: Side[] = [];
  try {
    for (const contestant of contestants.filter(({ id }) => id in WAYS)) {
      const { folder } = await buildIndex(contestant, set);
      const engine = new EngineProcess(contestant.name, contestant.command());
      engines.push(engine);
      for (const [how, name] of WAYS[contestant.id] as (typeof WAYS)[string])
        sides.push({ name, run: () => engine.ask('open', { set, folder, how, k: K }) });
    }
    const times = await alternate(sides, Math.max(5, repeats));
    const seconds = (name: string) => wall(times.get(name) ?? []);
    for (const [name, mine] of times) {
      const ratio = seconds('FAISS read_index') / wall(mine);
      const comparable = name.startsWith('silverlode') && Number.isFinite(ratio);
      yield {
        name: `load ${set.items} x ${set.dims} to first answer: ${name}`,
        medianMs: 1000 * wall(mine),
        samples: mine.length,
        figures: { 'cpu ms': 1000 * cpu(mine), ...(comparable ? { ratio } : {}) },
        goal: comparable ? { id: 'C9', against: `FAISS read_index (${name})`, ratio, wanted: 5 } : undefined,
      };
    }
  } finally {
    await Promise.all(engines.map((engine) => engine.stop()));
  }
}

/** Bytes of the index files and of memory, per item. */
export function* describeMemory(competitors: readonly Competitor[], { items }: SetFiles): Generator<BenchResult> {
  for (const { contestant, built, residentBytes } of competitors) {
    yield {
      name: `memory: ${contestant.name}`,
      medianMs: 1000 * built.wallSeconds,
      samples: 1,
      figures: {
        'index bytes/item': built.bytes / items,
        'resident bytes/item': residentBytes / items,
        'build s': built.wallSeconds,
        'build cpu s': built.cpuSeconds,
      },
    };
  }
}

/** Bytes per item of each array of a model with five attributes, against float32 rows alone. */
export async function* listArrays(size: SetSize): AsyncGenerator<BenchResult> {
  const { ids, embeddings, attributes } = makeCatalogue({ ...size, queries: 1, users: 1, seed: 1 });
  const { language, tags, creator, year, price } = attributes;
  const started = performance.now();
  await using model = await publish({
    items: { ids, embeddings, attributes: { language, tags, creator, year, price } },
    index: { probes: 1 },
  });
  const medianMs = performance.now() - started;
  yield* describeArrays(model, size, medianMs);
}

/** Bytes per item of each array of a model, and of all against float32 rows alone. */
export function* describeArrays(
  model: RetrievalModel,
  { items, dims }: Pick<SetSize, 'items' | 'dims'>,
  medianMs: number,
): Generator<BenchResult> {
  const { tensors, bytes } = model.describe();
  for (const tensor of tensors.filter((each) => each.bytes > 0)) {
    yield {
      name: `memory: ${tensor.name}`,
      medianMs: 0,
      samples: 1,
      figures: { 'bytes/item': tensor.bytes / items },
    };
  }
  const float32 = 4 * dims;
  const ratio = (float32 * items) / bytes;
  yield {
    name: `memory: model of ${items} x ${dims}, 5 attributes`,
    medianMs,
    samples: 1,
    figures: { 'bytes/item': bytes / items, 'float32 bytes/item': float32, share: 1 / ratio },
    goal: {
      id: 'C11',
      against: `float32 rows alone (FAISS Flat), ${items} x ${dims}; a ratio of 2.5 is a share of 0.4`,
      ratio,
      wanted: 2.5,
    },
  };
}
