// A filter index over given rows, made by hand: exact slices, Bloom signatures with many false hits, numeric columns.
import type { Random } from '../../lib/data/random.js';
import { bitsWhere, integers, tensorOf } from './op_case.js';

export const HASHES = 3;
const TERMS = 40;
const [ALL, NONE, SLICE, BLOOM, RANGE32, RANGE64, NOT, AND, OR, ROWS] = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n];

type Step = readonly [op: bigint, arg?: bigint, lo?: bigint, hi?: bigint];

/** Slices 0 … 3 hold for no row, 0.1 %, half of them and all; slice 4 for the first 100 rows. */
const SHARES = [0, 0.001, 0.5, 1];

const and: Step = [AND];
const or: Step = [OR];
const not: Step = [NOT];
const slice = (arg: bigint): Step => [SLICE, arg];
const bloom = (term: number): Step => [BLOOM, BigInt(term), termHash(term)];

/** Postfix plans by number; plans 2 to 5 are the selectivities of `SHARES`. */
export const PLANS: readonly (readonly Step[])[] = [
  [[ALL]],
  [[NONE]],
  ...SHARES.map((_, arg) => [slice(BigInt(arg))]),
  [slice(4n)],
  [slice(2n), not],
  [bloom(0)],
  [bloom(1), not],
  [bloom(2), slice(2n), and],
  [bloom(3), not, bloom(4), and, not],
  [[RANGE32, 0n, 10n, 59n]],
  [[RANGE64, 0n, -5n, 5n], bloom(5), or],
  [[RANGE32, 0n, 60n, 59n], slice(1n), or, bloom(TERMS), or],
  [],
  listed([0n, 0x8000_0000_0000_0003n], [3n, 0xff00n], [7n, -1n], [9n, 5n]),
  [...listed([1n, 0x00ff_ff00_ff00_ff00n], [2n, 0n], [2n ** 40n, 1n]), bloom(6), not, and],
  [bloom(7), slice(2n), or, ...listed([0n, -1n]), not, and],
];

/** Listed rows, by mask word. */
function listed(...words: readonly (readonly [word: bigint, rows: bigint])[]): Step[] {
  return [
    [NONE],
    ...words.map(([word, rows], i): Step => [ROWS, word, BigInt.asIntN(64, rows), BigInt(words.length - 1 - i)]),
  ];
}

function termHash(term: number): bigint {
  return BigInt.asIntN(64, BigInt(term + 1) * 0x9e37_79b9_7f4a_7c15n);
}

/** A position of a term in a block of `width`; native/ops/filter_index.h. */
export function bloomPosition(hash: bigint, j: number, width: number): number {
  const low = BigInt.asUintN(32, hash);
  const step = BigInt.asUintN(32, hash >> 32n) | 1n;
  return Number((BigInt.asUintN(32, low + BigInt(j) * step) * BigInt(width)) >> 32n);
}

export function makePlans(plans: typeof PLANS) {
  const steps = plans.flat().flatMap(([op, arg = 0n, lo = 0n, hi = 0n]) => [op, arg, lo, hi]);
  const offsets = [0];
  for (const plan of plans) offsets.push((offsets.at(-1) as number) + plan.length);
  return {
    offsets: tensorOf(Int32Array.from(offsets), offsets.length),
    steps: tensorOf(BigInt64Array.from(steps), steps.length / 4, 4),
  };
}

/** For `n` rows, a multiple of 512. */
export function makeFilterIndex(n: number, random: Random) {
  const words = n / 64;
  const terms = Array.from({ length: n }, () =>
    Array.from({ length: TERMS }, (_, term) => term).filter(() => random.chance(0.05)),
  );
  const offsets = [0];
  for (const own of terms) offsets.push((offsets.at(-1) as number) + own.length);
  const slices = [
    ...SHARES.map((share) => bitsWhere(words, () => random.chance(share))),
    bitsWhere(words, (row) => row < 100),
  ];
  const flat = Int32Array.from(terms.flat());
  const { bits, starts } = makeBloom(terms, random);
  const column64 = BigInt64Array.from(integers(random, n, -100, 100), BigInt);
  return {
    slices: tensorOf(BigInt64Array.from(slices.flatMap((one) => [...one])), slices.length, words),
    bloom: tensorOf(bits, bits.length / 8, 8),
    bloomOffsets: tensorOf(BigInt64Array.from(starts, BigInt), starts.length),
    columns32: tensorOf(integers(random, n, 0, 99), 1, n),
    columns64: tensorOf(column64, 1, n),
    termOffsets: tensorOf(Int32Array.from(offsets), n + 1),
    terms: tensorOf(flat, flat.length),
  };
}

function makeBloom(terms: readonly number[][], random: Random): { bits: BigInt64Array; starts: number[] } {
  const starts = [0];
  const blocks: BigInt64Array[] = [];
  for (let first = 0; first < terms.length; first += 512) {
    const width = 20 + random.integer(30);
    const held = new Set<number>();
    for (let row = 0; row < 512; row++) {
      for (const term of terms[first + row] as number[]) {
        for (let j = 0; j < HASHES; j++) held.add(512 * bloomPosition(termHash(term), j, width) + row);
      }
    }
    blocks.push(bitsWhere(8 * width, (bit) => held.has(bit)));
    starts.push((starts.at(-1) as number) + width);
  }
  return { bits: BigInt64Array.from(blocks.flatMap((block) => [...block])), starts };
}

/** What an index without filters consists of. */
export function emptyFilterIndex(words: number) {
  return {
    slices: tensorOf(new BigInt64Array(0), 0, words),
    bloom: tensorOf(new BigInt64Array(0), 0, 8),
    bloomOffsets: tensorOf(new BigInt64Array(words / 8 + 1), words / 8 + 1),
    columns32: tensorOf(new Int32Array(0), 0, 64 * words),
    columns64: tensorOf(new BigInt64Array(0), 0, 64 * words),
    termOffsets: tensorOf(new Int32Array(64 * words + 1), 64 * words + 1),
    terms: tensorOf(new Int32Array(0), 0),
  };
}
