import type { FilterInput } from '../cases/filter_input.js';
import { Op } from '../cases/filter_input.js';
import { bitReader } from './bits.js';
import { bloomPositions, setBit, termsOf } from './bloom.js';

/** What is known of a row: `lo` it certainly matches, not `hi` it certainly does not. */
interface Known {
  lo: boolean;
  hi: boolean;
}

/** How the two kinds of leaf that need more than their column answer for a row. */
type Bloom = (term: number, hash: bigint, row: number) => Known;

const exactly = (x: boolean): Known => ({ lo: x, hi: x });

/** Evaluates every plan for every row, one after the other. */
export function evaluatePlans({ index, plans }: FilterInput, rows: number, bloom: Bloom): Known[][] {
  const [offsets, steps] = [plans.offsets.view(), plans.steps.view()];
  const slice = bitReader(index.slices.view() as BigInt64Array);
  const [narrow, wide] = [index.columns32.view() as Int32Array, index.columns64.view() as BigInt64Array];
  const inside = (value: number | bigint, lo: bigint, hi: bigint) => lo <= value && value <= hi;
  return Array.from({ length: offsets.length - 1 }, (_, plan) =>
    Array.from({ length: rows }, (_, row) => {
      const stack: Known[] = [];
      const pop = () => stack.pop() as Known;
      for (let i = 4 * (offsets[plan] as number); i < 4 * (offsets[plan + 1] as number); i += 4) {
        const [code, arg, lo, hi] = steps.subarray(i, i + 4) as unknown as [bigint, bigint, bigint, bigint];
        const [op, at] = [Number(code), Number(arg)];
        if (op === Op.all || op === Op.none) stack.push(exactly(op === Op.all));
        else if (op === Op.slice) stack.push(exactly(slice(at * rows + row)));
        else if (op === Op.bloom) stack.push(bloom(at, lo, row));
        else if (op === Op.range32) stack.push(exactly(inside(narrow[at * rows + row] as number, lo, hi)));
        else if (op === Op.range64) stack.push(exactly(inside(wide[at * rows + row] as bigint, lo, hi)));
        else if (op === Op.not) stack.push(opposite(pop()));
        else {
          const [b, a] = [pop(), pop()];
          stack.push(op === Op.and ? { lo: a.lo && b.lo, hi: a.hi && b.hi } : { lo: a.lo || b.lo, hi: a.hi || b.hi });
        }
      }
      return stack[0] ?? exactly(false);
    }),
  );
}

const opposite = ({ lo, hi }: Known): Known => ({ lo: !hi, hi: !lo });

/** Bounds, both within `live`: a Bloom hit proves nothing. */
export function filterEval(input: FilterInput) {
  const { index, live, hashes } = input;
  const rows = 64 * live.view().length;
  const [bit, isLive] = [bitReader(index.bloom.view() as BigInt64Array), bitReader(live.view())];
  const bounds = index.bloomOffsets.view() as BigInt64Array;
  const hits = evaluatePlans(input, rows, (_, hash, row) => {
    const block = Math.floor(row / 512);
    const [first, end] = [Number(bounds[block]), Number(bounds[block + 1])];
    const positions = bloomPositions(hash, hashes, end - first);
    return { lo: false, hi: end > first && positions.every((p) => bit((first + p) * 512 + (row % 512))) };
  });
  return {
    lo: mask(hits, rows, (known, row) => known.lo && isLive(row)),
    hi: mask(hits, rows, (known, row) => known.hi && isLive(row)),
  };
}

/** Which rows satisfy each plan, read off the rows' exact terms. */
export function exactMask(input: FilterInput): BigInt64Array {
  const { termOffsets, terms } = input.index;
  const rows = 64 * input.live.view().length;
  const holds = (term: number, row: number) =>
    termsOf(termOffsets.view() as Int32Array, terms.view() as Int32Array, row).includes(term);
  const isLive = bitReader(input.live.view());
  const known = evaluatePlans(input, rows, (term, _, row) => exactly(holds(term, row)));
  return mask(known, rows, ({ lo }, row) => lo && isLive(row));
}

function mask(known: Known[][], rows: number, holds: (known: Known, row: number) => boolean): BigInt64Array {
  const words = new BigInt64Array((known.length * rows) / 64);
  known.forEach((plan, p) => {
    plan.forEach((each, row) => {
      if (holds(each, row)) setBit(words, Math.floor((p * rows + row) / 64), row % 64);
    });
  });
  return words;
}
