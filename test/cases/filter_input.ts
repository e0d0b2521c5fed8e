// Random eligibility indexes and plans, for the ops that evaluate filters.
import { type ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { bloomBuild } from '../reference/bloom_build.js';
import { bloomInput } from './bloom_build.js';
import { bitsWhere, integers, tensorOf } from './op_case.js';
import type { Load } from './term_rows.js';

/** Opcodes of plans, as in native/ops/filter_index.h. */
export const Op = { all: 0, none: 1, slice: 2, bloom: 3, range32: 4, range64: 5, not: 6, and: 7, or: 8 } as const;

export type IndexTensors = Record<keyof Parameters<typeof ops.filterEval>[2], Tensor>;

export interface FilterSizes {
  /** A multiple of 512. */
  rows: number;
  slices?: number;
  /** Bloom terms; 0 leaves the signatures out. */
  terms?: number;
  columns32?: number;
  columns64?: number;
  load?: Load;
  hashes?: number;
  /** Plans, and leaves of each. */
  plans?: number;
  leaves?: number;
  /** Steps behind the last plan, which nothing may read. */
  spare?: number;
}

export interface FilterInput {
  index: IndexTensors;
  live: Tensor<'int64'>;
  plans: { offsets: Tensor<'int32'>; steps: Tensor<'int64'> };
  hashes: number;
}

export function makeFilterInput(sizes: FilterSizes, random: Random): FilterInput {
  const { rows, slices = 5, terms = 40, columns32 = 2, columns64 = 2, load, hashes = terms > 0 ? 4 : 0 } = sizes;
  const words = rows / 64;
  const mask = (share: number, count = 1) => bitsWhere(words * count, () => random.chance(share));
  const built = bloomInput({ rows, terms, load: terms > 0 ? load : 'none', hashes: Math.max(1, hashes) }, random);
  const wide = BigInt64Array.from(
    { length: columns64 * rows },
    () => BigInt(random.integer(100)) * 2n ** 40n - 2n ** 45n,
  );
  const bloom = terms > 0 ? bloomBuild(built).bloom : new BigInt64Array(0);
  const index = {
    slices: tensor(mask(0.3, slices), { shape: [slices, words] }),
    bloom: tensor(bloom, { shape: [bloom.length / 8, 8] }),
    bloomOffsets: terms > 0 ? built.layout : tensor(new BigInt64Array(0)),
    columns32: tensorOf(integers(random, columns32 * rows, -20, 20), columns32, rows),
    columns64: tensor(wide, { shape: [columns64, rows] }),
    termOffsets: terms > 0 ? built.rows.offsets : tensor(new Int32Array(0)),
    terms: built.rows.terms,
  } as unknown as IndexTensors;
  return {
    index,
    live: tensorOf(mask(0.95), words),
    plans: makePlans(sizes, terms > 0 ? built.termHashes.view() : new BigInt64Array(0), random),
    hashes,
  };
}

function makePlans(sizes: FilterSizes, termHashes: BigInt64Array, random: Random): FilterInput['plans'] {
  const { plans = 3, leaves = 6, spare = 0 } = sizes;
  const steps: bigint[] = [];
  const offsets = [0];
  for (let plan = 0; plan < plans; plan++) {
    if (leaves > 0) steps.push(...randomPlan(leaves, sizes, termHashes, random));
    offsets.push(steps.length / 4);
  }
  for (let i = 0; i < spare; i++) steps.push(99n, -1n, 0n, 0n);
  return {
    offsets: tensorOf(Int32Array.from(offsets), offsets.length),
    steps: tensorOf(BigInt64Array.from(steps), steps.length / 4, 4),
  };
}

/** A plan over so many leaves; deep ones fill the stack. */
function randomPlan(leaves: number, sizes: FilterSizes, termHashes: BigInt64Array, random: Random): bigint[] {
  if (leaves === 1) {
    const leaf = randomLeaf(sizes, termHashes, random);
    return random.chance(0.3) ? [...leaf, BigInt(Op.not), 0n, 0n, 0n] : leaf;
  }
  const left = leaves > 100 ? 1 : 1 + random.integer(leaves - 1);
  const parts = [left, leaves - left].flatMap((part) => randomPlan(part, sizes, termHashes, random));
  const joined = [...parts, BigInt(random.chance(0.5) ? Op.and : Op.or), 0n, 0n, 0n];
  return random.chance(0.3) ? [...joined, BigInt(Op.not), 0n, 0n, 0n] : joined;
}

function randomLeaf(sizes: FilterSizes, termHashes: BigInt64Array, random: Random): bigint[] {
  const { slices = 5, columns32 = 2, columns64 = 2 } = sizes;
  const kinds: (() => bigint[])[] = [() => [BigInt(random.integer(2)), 0n, 0n, 0n]];
  if (slices > 0) kinds.push(() => [BigInt(Op.slice), BigInt(random.integer(slices)), 0n, 0n]);
  if (termHashes.length > 0) {
    // A term that no row holds has a hash too.
    kinds.push(() => {
      const term = random.integer(termHashes.length + 1);
      return [BigInt(Op.bloom), BigInt(term), termHashes[term] ?? 0x1234_5678_9abc_def0n, 0n];
    });
  }
  if (columns32 > 0) {
    const bound = () => random.pick([BigInt(random.integer(41) - 20), -(2n ** 31n), 2n ** 31n - 1n]);
    kinds.push(() => [BigInt(Op.range32), BigInt(random.integer(columns32)), bound(), bound()]);
  }
  if (columns64 > 0) {
    const bound = () =>
      random.pick([BigInt(random.integer(100)) * 2n ** 40n - 2n ** 45n, -(2n ** 63n), 2n ** 63n - 1n]);
    kinds.push(() => [BigInt(Op.range64), BigInt(random.integer(columns64)), bound(), bound()]);
  }
  return random.pick(kinds)();
}

export const FILTER_SIZES: readonly (FilterSizes & { name?: string })[] = [
  { rows: 512 },
  { rows: 2048 },
  { rows: 1024, load: 'skewed blocks' },
  { rows: 1024, load: 'one huge row', terms: 3500 },
  { rows: 512, load: 'none' },
  { name: 'several tasks', rows: 70 * 512, plans: 2, leaves: 4 },
  ...[1, 2, 3, 20].map((leaves) => ({ rows: 512, leaves, plans: 10 })),
  ...[1, 2, 16].map((hashes) => ({ rows: 512, hashes })),
  { name: 'no signatures', rows: 1024, terms: 0 },
  { name: 'signatures alone', rows: 1024, slices: 0, columns32: 0, columns64: 0 },
  { name: 'nothing but constants', rows: 512, terms: 0, slices: 0, columns32: 0, columns64: 0 },
  { name: 'deep', rows: 512, leaves: 360, plans: 1 },
  { name: 'plans without steps', rows: 512, leaves: 0 },
  { name: 'no plans', rows: 512, plans: 0 },
  { name: 'no plans, but steps', rows: 512, plans: 0, spare: 4 },
  { name: 'steps behind the plans', rows: 512, spare: 9 },
  { name: 'no rows', rows: 0, terms: 0, slices: 0, columns32: 0, columns64: 0 },
];
