// The filter of Silverlode as calls: over the whole catalogue, and over the rows of probed clusters.
import { FilterIndex, ops, type SymbolicTensor, type Tensor, Tensor as TensorClass, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { FixedCall } from '../parts/recorded.js';
import { countBits, exprOf, type FilterCatalogue, type FilterQuery, fieldsOf } from './catalogue.js';

const BLOCK_ROWS = 512;
const DIM = 128;
/** Rows of a cluster. */
export const CLUSTER_ROWS = 1024;
export const PROBES = 32;

/** The index of a catalogue whose rows are its items in order, and clusters of equal size in it. */
export interface Subject {
  eligible: FilterIndex;
  rows: number;
  live: Tensor;
  /** Bytes of everything that evaluating reads. */
  bytes: number;
}

/** @param share Values that fewer items have share the Bloom signature. */
export async function index(catalogue: FilterCatalogue, share: number): Promise<Subject> {
  const { items } = catalogue;
  const rows = BLOCK_ROWS * Math.ceil(items / BLOCK_ROWS);
  const ordinals = Int32Array.from({ length: rows }, (_, row) => (row < items ? row : -1));
  const eligible = await FilterIndex.build(fieldsOf(catalogue), { ordinals, items, sliceThreshold: share });
  const live = new BigInt64Array(rows / 64).fill(-1n);
  for (let row = items; row < rows; row++)
    live[row >> 6] = BigInt.asIntN(64, (live[row >> 6] as bigint) & ~(1n << BigInt(row & 63)));
  const { slices, bloom, columns32, columns64 } = eligible;
  const bytes = [slices, bloom, columns32, columns64].reduce((sum, { nbytes }) => sum + nbytes, 0);
  return { eligible, rows, live: tensor(live) as Tensor, bytes };
}

/** The seven tensors of the index; those that it has not are empty. */
function filterTensors({ slices, bloom, bloomOffsets, columns32, columns64, termOffsets, terms }: FilterIndex) {
  return { slices, bloom, bloomOffsets, columns32, columns64, termOffsets, terms } as Record<
    'slices' | 'bloom' | 'bloomOffsets' | 'columns32' | 'columns64' | 'termOffsets' | 'terms',
    Tensor
  >;
}

function planTensors({ eligible }: Subject, queries: readonly FilterQuery[]) {
  const plans = queries.map((query) => eligible.plans.compile(exprOf(query)));
  const { index: planIndex, offsets, steps } = eligible.encodePlans(plans);
  return {
    planIndex: tensor(planIndex) as Tensor,
    offsets: tensor(offsets) as Tensor,
    steps: tensor(steps, { shape: [steps.length / 4, 4] }) as Tensor,
  };
}

/** What the plans of the queries must read of the index, each for itself. */
export function bytesRead({ eligible, rows }: Subject, queries: readonly FilterQuery[]): number {
  const ofStep: Readonly<Record<string, number>> = {
    2: rows / 8,
    3: (eligible.hashes * rows) / 8,
    4: 4 * rows,
    5: 8 * rows,
  };
  let bytes = 0;
  for (const query of queries) {
    const { steps } = eligible.plans.compile(exprOf(query));
    for (let step = 0; step < steps.length; step += 4) bytes += ofStep[String(steps[step])] ?? 0;
    bytes += rows / 8; // `live`
  }
  return bytes;
}

/** Masks of all rows: `lo` and `hi` alone, or checked against the exact terms. */
export function wholeCatalogue(
  subject: Subject,
  queries: readonly FilterQuery[],
  threads: number,
  exact: boolean,
): Promise<FixedCall<string>> {
  const { offsets, steps } = planTensors(subject, queries);
  const options = { hashes: subject.eligible.hashes };
  const inputs = { offsets, steps, live: subject.live, ...filterTensors(subject.eligible) };
  return FixedCall.compile<keyof typeof inputs>(
    inputs,
    ({ offsets: begins, steps: plan, live, ...tensors }): Record<string, SymbolicTensor> => {
      const plans = { offsets: begins, steps: plan };
      const bounds = ops.filterEval(plans, live, tensors, options);
      return exact ? { mask: ops.filterCheck(bounds, plans, tensors, options) } : { lo: bounds.lo, hi: bounds.hi };
    },
    threads,
  ) as Promise<FixedCall<string>>;
}

/** Set bits of every row of a mask. */
export function countsOf(mask: Tensor, queries: number): number[] {
  const words = mask.view() as unknown as BigInt64Array;
  const each = words.length / queries;
  return Array.from({ length: queries }, (_, query) => countBits(words, query * each, (query + 1) * each));
}

/** `ivf_probe` with the queries' plans, or without any; clusters are ranked by random centroids. */
export function probe(
  subject: Subject,
  queries: readonly FilterQuery[],
  threads: number,
  filtered: boolean,
): Promise<FixedCall<string>> {
  const random = new Random(3);
  const clusters = Math.ceil(subject.rows / CLUSTER_ROWS);
  const batch = queries.length;
  const int8 = (shape: readonly number[]) => {
    const result = TensorClass.allocate('int8', shape);
    const values = result.view();
    for (let i = 0; i < values.length; i++) values[i] = random.integer(255) - 127;
    return result as Tensor;
  };
  const each = (value: number) => tensor(new Int32Array(batch).fill(value)) as Tensor;
  const { planIndex, offsets, steps } = planTensors(subject, queries);
  const inputs = {
    queries: int8([batch, 1, DIM]),
    scales: tensor(new Float32Array(batch).fill(0.01), { shape: [batch, 1] }) as Tensor,
    centroids: int8([clusters, DIM]),
    centroidScales: tensor(new Float32Array(clusters).fill(0.01)) as Tensor,
    clusterBegin: tensor(
      Int32Array.from({ length: clusters + 1 }, (_, cluster) => Math.min(subject.rows, cluster * CLUSTER_ROWS)),
    ) as Tensor,
    live: subject.live,
    probes: each(PROBES),
    minCandidates: each(0),
    exact: each(1),
    planIndex: filtered ? planIndex : each(-1),
    offsets,
    steps,
    excludeOffsets: each(0),
    excludeRows: TensorClass.allocate('int32', [0]) as Tensor,
    ...filterTensors(subject.eligible),
  };
  return FixedCall.compile<keyof typeof inputs>(
    inputs,
    (given) => {
      const { queries: quantized, scales, offsets: begins, steps: plan, ...rest } = given;
      const {
        clusters: listed,
        counts,
        stats,
      } = ops.ivfProbe({ quantized, scales }, rest, { ...rest, plans: { offsets: begins, steps: plan } }, rest, {
        hashes: subject.eligible.hashes,
      });
      return { listed, counts, stats };
    },
    threads,
  ) as Promise<FixedCall<string>>;
}

/** Checks the eligible rows that probing counted against whole masks, cluster by cluster. */
export async function requireProbed(call: FixedCall<string>, mask: Tensor, rows: number): Promise<number> {
  const { listed, counts, stats } = (await call.outputs()) as Record<'listed' | 'counts' | 'stats', Tensor>;
  const words = mask.view() as unknown as BigInt64Array;
  const lists = listed.view() as Int32Array;
  const facts = stats.view() as unknown as BigInt64Array;
  const batch = counts.shape[0] as number;
  const clusters = lists.length / batch;
  let filteredRows = 0;
  for (let query = 0; query < batch; query++) {
    let eligible = 0;
    for (const cluster of lists.subarray(query * clusters, query * clusters + (counts.view()[query] as number))) {
      const begin = cluster * (CLUSTER_ROWS / 64);
      const end = Math.min(rows / 64, begin + CLUSTER_ROWS / 64);
      eligible += countBits(words, (query * rows) / 64 + begin, (query * rows) / 64 + end);
    }
    const told = Number(facts[4 * query + 1]);
    if (told !== eligible)
      throw new Error(`query ${query}: probing found ${told} eligible rows, the masks ${eligible}`);
    filteredRows += Number(facts[4 * query + 2]);
  }
  for (const output of [listed, counts, stats]) output.dispose();
  return filteredRows;
}
