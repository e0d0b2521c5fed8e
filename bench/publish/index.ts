// The suite 'publish': stages of publishing, the ops that they spend their time in beside ceilings, and the event loop (goal C8).

import { availableParallelism } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ops, publish, type Tensor, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { type Catalogue, makeCatalogue } from '../../lib/data/synthetic.js';
import { type Ceiling, Ceilings } from '../parts/ceilings.js';
import { FixedCall } from '../parts/recorded.js';
import { ownSide, resultOf, type Taken, takeTurns, threadCounts } from '../parts/turns.js';
import { type BenchOptions, type BenchResult, type Suite, statistics } from '../support/suite.js';
import { stageTimes, type TimedEvent } from './stages.js';

interface Size {
  items: number;
  dims: number;
  clusters: number;
}

interface Published {
  ms: number;
  stages: ReadonlyMap<string, number>;
  /** The longest time that the event loop was not served, and the longest of a hundred. */
  worstHoldMs: number;
  p99HoldMs: number;
}

/** Resolution of the event loop's monitor, which counts what is beyond it. */
const RESOLUTION_MS = 1;

async function publishOnce(
  { ids, embeddings, attributes, queries }: Catalogue,
  { clusters }: Size,
  threads: number,
): Promise<Published> {
  const { language, tags, creator, year, price } = attributes;
  const events: TimedEvent[] = [];
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const started = performance.now();
  const model = await publish({
    items: { ids, embeddings, attributes: { language, tags, creator, year, price } },
    index: { clusters },
    queries,
    threads,
    onProgress: (event) => events.push({ ...event, at: performance.now() }),
  });
  const ended = performance.now();
  delay.disable();
  await model.close();
  return {
    ms: ended - started,
    stages: stageTimes(events, started, ended),
    worstHoldMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS),
    p99HoldMs: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS),
  };
}

function* publishResults(
  all: readonly Published[],
  { items, dims, clusters }: Size,
  threads: number,
): Generator<BenchResult> {
  const title = `publish ${items} x ${dims}, ${clusters} clusters, ${threads} thread${threads > 1 ? 's' : ''}`;
  const middle = (of: (each: Published) => number) => statistics(all.map(of)).medianMs;
  const { medianMs, spreadMs, samples } = statistics(all.map(({ ms }) => ms));
  yield {
    ...{ name: title, medianMs, spreadMs, samples },
    figures: {
      items,
      'items/s': (1000 * items) / medianMs,
      'worst hold ms': Math.max(...all.map(({ worstHoldMs }) => worstHoldMs)),
      'p99 hold ms': middle(({ p99HoldMs }) => p99HoldMs),
    },
    plot: { title: 'Publishing over items', series: `threads ${threads}`, x: 'items', y: 'ms' },
  };
  for (const stage of all[0]?.stages.keys() ?? []) {
    const times = statistics(all.map(({ stages }) => stages.get(stage) ?? 0));
    const share = times.medianMs / medianMs;
    yield {
      name: `${title}: ${stage}`,
      medianMs: times.medianMs,
      spreadMs: times.spreadMs,
      samples,
      figures: { share },
    };
  }
}

/** One op at the size of a publish, and what it must at least compute and move. */
interface OpCase {
  name: string;
  call: FixedCall<string>;
  operations: number;
  bytes: number;
  bound: Ceiling;
}

/** The ops of k-means, assignment, balance and layout, on rows of a catalogue. */
async function opCases(rows: Tensor, clusters: number, threads: number): Promise<OpCase[]> {
  const [count, dims] = rows.shape as [number, number];
  const random = new Random(1);
  const pick = tensor(Int32Array.from({ length: clusters }, () => random.integer(count))) as Tensor;
  const centroids = (await ops.gatherRows(rows, pick)) as Tensor;
  const nearest = await ops.assignClusters(rows, centroids, { nearest: Math.min(4, clusters) });
  const members = (await ops.assignClusters(rows, centroids)).clusters.reshape([count]) as Tensor;
  const shuffled = tensor(Int32Array.from(random.shuffle(Array.from({ length: count }, (_, row) => row)))) as Tensor;
  const choices = { near: nearest.clusters as Tensor, scores: nearest.scores as Tensor };
  const quantized = (await ops.quantizeInt8(rows)).quantized as Tensor;
  const cap = Math.ceil((2 * count) / clusters);
  const compile = async <Name extends string>(...given: Parameters<typeof FixedCall.compile<Name>>) =>
    (await FixedCall.compile(...given)) as unknown as FixedCall<string>;
  const assign = (m: number) =>
    compile({ rows, centroids }, (x) => ({ ...ops.assignClusters(x.rows, x.centroids, { nearest: m }) }), threads);
  const matrix = 4 * count * dims;
  const assigning = { operations: 2 * count * clusters * dims, bytes: matrix, bound: 'float32' as const };
  const moving = (bytes: number) => ({ operations: 0, bytes, bound: 'read' as const });
  return [
    { name: 'assign_clusters', call: await assign(1), ...assigning },
    { name: 'assign_clusters, 4 nearest', call: await assign(Math.min(4, clusters)), ...assigning },
    {
      name: 'update_centroids',
      call: await compile(
        { rows, members },
        (x) => ({ ...ops.updateCentroids(x.rows, x.members, { clusters }) }),
        threads,
      ),
      ...moving(matrix),
    },
    {
      name: 'balance_clusters',
      call: await compile(choices, (x) => ({ y: ops.balanceClusters(x.near, x.scores, { clusters, cap }) }), threads),
      ...moving(choices.near.nbytes + choices.scores.nbytes),
    },
    {
      name: 'quantize_int8',
      call: await compile({ rows }, (x) => ({ ...ops.quantizeInt8(x.rows) }), threads),
      ...moving(matrix + count * (dims + 4)),
    },
    {
      name: 'gather_rows, int8 in random order',
      call: await compile(
        { quantized, shuffled },
        (x) => ({ y: ops.gatherRows(x.quantized, x.shuffled) as never }),
        threads,
      ),
      ...moving(2 * count * dims),
    },
  ];
}

/** Mean squared error of int8 rows, as a share of their mean square. */
async function quantisationError(rows: Tensor): Promise<number> {
  const { quantized, scales } = await ops.quantizeInt8(rows);
  const [count, dims] = rows.shape as [number, number];
  const padded = quantized.shape[1] as number;
  const [values, stored, scale] = [rows.view() as Float32Array, quantized.view(), scales.view()];
  let errors = 0;
  let squares = 0;
  for (let row = 0; row < count; row++) {
    for (let d = 0; d < dims; d++) {
      const value = values[row * dims + d] as number;
      errors += (value - (stored[row * padded + d] as number) * (scale[row] as number)) ** 2;
      squares += value ** 2;
    }
  }
  for (const output of [quantized, scales]) output.dispose();
  return errors / squares;
}

async function* opResults(
  rows: Tensor,
  clusters: number,
  threads: number,
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  await using ceilings = await Ceilings.start();
  const error = await quantisationError(rows);
  for (const { name, call, operations, bytes, bound } of await opCases(rows, clusters, threads)) {
    const title = `${name}, ${rows.shape.join(' x ')}, ${clusters} clusters, ${threads} thread${threads > 1 ? 's' : ''}`;
    if (title.includes(options.filter)) {
      const sides = [ownSide(name, () => call.run()), ceilings.side(bound, threads)];
      const schedule = { seconds: options.quick ? 0.01 : 0.1, rounds: options.repeats ?? (options.quick ? 3 : 5) };
      const taken = await takeTurns(sides, schedule, options.signal);
      const each = taken.get(name) as Taken;
      const rate = (1000 * (bound === 'read' ? bytes : operations)) / each.medianMs;
      const figures = {
        ...(operations > 0 ? { 'Gflop/s': operations / each.medianMs / 1e6 } : {}),
        ...{ 'GB/s': bytes / each.medianMs / 1e6, share: rate / ceilings.rate(bound, threads, taken) },
        ...(name === 'quantize_int8' ? { 'squared error share': error } : {}),
      };
      yield resultOf(title, each, figures);
    }
    call.dispose();
  }
}

const suite: Suite = {
  note:
    'publish with five attributes, queries given, probes tuned. Stages as it reports them: read, attributes, seed, k-means, assign (assignment and balance), index (layout and ' +
    'int8 rows), filter, tune. hold: how long the event loop waited beyond 1 ms, by monitorEventLoopDelay. Ops: at 262 144 rows at most; share of float32 ' +
    'multiply-adds in registers, or of reading memory in order for those that move (bytes read and written together). Beside FAISS: npm run bench -- peers --filter publish.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const sizes: Size[] = options.quick
      ? [{ items: 20_000, dims: 64, clusters: 128 }]
      : [
          { items: 100_000, dims: 128, clusters: 1024 },
          { items: 1_000_000, dims: 128, clusters: 4096 },
        ];
    for (const size of options.items ? [{ ...(sizes.at(-1) as Size), items: options.items }] : sizes) {
      options.progress?.(`${size.items} items: making the catalogue`);
      const catalogue = makeCatalogue({
        ...size,
        clusters: Math.ceil(size.items / 100),
        queries: 256,
        users: 1,
        seed: 1,
      });
      const used = Math.min(size.items, 2 ** 18);
      const rows = tensor(catalogue.embeddings.data.subarray(0, used * size.dims), {
        shape: [used, size.dims],
      }) as Tensor;
      for (const threads of threadCounts(options.threads, availableParallelism())) {
        const all: Published[] = [];
        for (let round = 0; round < (options.repeats ?? (options.quick ? 2 : 3)); round++) {
          options.signal?.throwIfAborted();
          all.push(await publishOnce(catalogue, size, threads));
        }
        yield* publishResults(all, size, threads);
        yield* opResults(rows, size.clusters, threads, options);
      }
    }
  },
};

export default suite;
