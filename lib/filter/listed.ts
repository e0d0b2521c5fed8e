// Plans for rows that are listed one by one.
import { FilterOp } from './opcodes.js';
import type { FilterPlan } from './plan.js';

let made = 0;

/**
 * Rows that are listed and satisfy a plan besides.
 *
 * @param rows Of the index that the plan is for, in any order.
 * @param plan Undefined: every listed row.
 */
export function listedPlan(rows: Int32Array, plan: FilterPlan | undefined): FilterPlan {
  const listed = listSteps(rows);
  const own = plan?.steps ?? new BigInt64Array(0);
  const both = plan === undefined ? [] : [BigInt(FilterOp.and), 0n, 0n, 0n];
  const steps = new BigInt64Array(listed.length + own.length + both.length);
  // The list comes first: where it has no row, the plan is not looked at.
  steps.set(listed);
  steps.set(own, listed.length);
  steps.set(both, listed.length + own.length);
  return {
    steps,
    stackDepth: plan === undefined ? 1 : 1 + plan.stackDepth,
    terms: 1 + (plan?.terms ?? 0),
    atMost: Math.min(rows.length, plan?.atMost ?? Number.POSITIVE_INFINITY),
    key: `listed ${++made}`,
  };
}

/** `none`, then a step for every mask word with a listed row; see native/ops/filter_index.h. */
function listSteps(rows: Int32Array): BigInt64Array {
  const sorted = rows.toSorted();
  const words = sorted.reduce(
    (count, row, i) => count + Number(i === 0 || row >>> 6 !== (sorted[i - 1] as number) >>> 6),
    0,
  );
  const steps = new BigInt64Array(4 * (1 + words));
  steps[0] = BigInt(FilterOp.none);
  const bits = new Uint32Array(steps.buffer);
  let step = 0;
  for (const row of sorted) {
    const word = BigInt(row >>> 6);
    if (step === 0 || steps[4 * step + 1] !== word) {
      step++;
      steps[4 * step] = BigInt(FilterOp.rows);
      steps[4 * step + 1] = word;
      steps[4 * step + 3] = BigInt(words - step);
    }
    const half = 2 * (4 * step + 2) + ((row >>> 5) & 1); // little endian: the low half first
    bits[half] = (bits[half] as number) | (1 << (row & 31));
  }
  return steps;
}
