// The suite 'scan': the exact int8 scan of a whole catalogue as a share of what the machine gives (goal C5).
import { availableParallelism } from 'node:os';
import { ops, type Tensor, Tensor as TensorClass, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { Ceilings } from '../parts/ceilings.js';
import { FixedCall } from '../parts/recorded.js';
import { ownSide, resultOf, scheduleOf, takeTurns, threadCounts } from '../parts/turns.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';

const DIM = 128;
const K = 100;
const WANTED = 0.8;

/** Any int8 values but -128, which is never stored. */
function randomInt8(shape: readonly number[], random: Random): Tensor {
  const result = TensorClass.allocate('int8', shape);
  const values = result.view();
  const words = new Int32Array(values.buffer, values.byteOffset, values.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  for (let i = 0; i < values.length; i++) if (values[i] === -128) values[i] = -127;
  return result as Tensor;
}

const int32 = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Int32Array.from(values), { shape }) as Tensor;

/** One cluster that holds all rows, as `clusters: 'flat'` makes it. */
function flatIndex(rows: number, random: Random) {
  const scales = Float32Array.from({ length: rows }, () => 0.005 + 0.005 * random.uniform());
  return {
    rows: randomInt8([rows, DIM], random),
    rowScales: tensor(scales) as Tensor,
    ordinals: tensor(Int32Array.from({ length: rows }, (_, row) => row)) as Tensor,
    clusterBegin: int32([0, rows], [2]),
    live: tensor(new BigInt64Array(rows / 64).fill(-1n)) as Tensor,
  };
}

function scanOf(index: ReturnType<typeof flatIndex>, batch: number, threads: number, random: Random) {
  const inputs = {
    queries: randomInt8([batch, 1, DIM], random),
    scales: tensor(new Float32Array(batch).fill(0.01), { shape: [batch, 1] }) as Tensor,
    clusters: int32(new Array<number>(batch).fill(0), [batch, 1, 1]),
    counts: int32(new Array<number>(batch).fill(1), [batch, 1]),
    mask: TensorClass.allocate('int64', [batch, index.live.shape[0] as number]) as Tensor,
    maskOf: int32(new Array<number>(batch).fill(-1), [batch]),
    limits: int32(new Array<number>(batch).fill(K), [batch]),
    ...index,
  };
  return FixedCall.compile(
    inputs,
    ({ queries, scales, limits, clusters, counts, mask, maskOf, ...rows }) => {
      const probed = { clusters, counts, mask, maskOf } as Parameters<typeof ops.ivfScan>[2];
      const { scores, ordinals } = ops.ivfScan({ quantized: queries, scales }, rows, probed, { k: K, limits });
      return { scores, ordinals };
    },
    threads,
  );
}

const suite: Suite = {
  note:
    'Whole calls of a program with one ivf_scan over all rows, k = 100. int8 ceiling: dot product instructions in registers; read ceiling: 256 MB in ' +
    'order, widest loads; both by bench/parts/ceilings.cpp in turn with the scan, on the same number of threads. Bytes are rows and their scales. ' +
    'A share of the read ceiling above 1 means that rows came from a cache.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const items = options.items ?? (options.quick ? 65_536 : 1_000_000);
    const rows = 512 * Math.ceil(items / 512);
    const random = new Random(1);
    await using ceilings = await Ceilings.start();
    const index = flatIndex(rows, random);
    for (const threads of threadCounts(options.threads, availableParallelism())) {
      for (const batch of [1, 16, 64]) {
        const name = `flat scan ${rows} x ${DIM}, ${batch === 1 ? 'one query' : `batch of ${batch}`}, ${threads} thread${threads > 1 ? 's' : ''}`;
        if (!name.includes(options.filter)) continue;
        const call = await scanOf(index, batch, threads, random);
        const sides = [ownSide(name, () => call.run()), ceilings.side('int8', threads), ceilings.side('read', threads)];
        const taken = await takeTurns(sides, scheduleOf(options), options.signal);
        call.dispose();
        const scan = taken.get(name) as NonNullable<ReturnType<typeof taken.get>>;
        const seconds = scan.medianMs / 1000;
        const operations = (2 * batch * rows * DIM) / seconds;
        const bytes = (rows * (DIM + 4)) / seconds;
        const int8 = ceilings.rate('int8', threads, taken);
        const read = ceilings.rate('read', threads, taken);
        const figures = {
          batch,
          'Gop/s': operations / 1e9,
          'of int8': operations / int8,
          'GB/s': bytes / 1e9,
          'of read': bytes / read,
          'ceiling Gop/s': int8 / 1e9,
          'ceiling GB/s': read / 1e9,
          'ms/query': scan.medianMs / batch,
        };
        const [share, against] =
          batch === 1
            ? [bytes / read, `reading memory, one query, threads ${threads}`]
            : [Math.max(operations / int8, bytes / read), `int8 dot products, batch ${batch}, threads ${threads}`];
        yield resultOf(name, scan, figures, {
          plot: { title: 'Flat int8 scan over batch', series: `threads ${threads}`, x: 'batch', y: 'ms/query' },
          ...(batch === 16 ? {} : { goal: { id: 'C5', against, ratio: share, wanted: WANTED } }),
        });
      }
    }
  },
};

export default suite;
