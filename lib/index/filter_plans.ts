// Plans as inputs of a program.
import type { FilterPlan } from '../filter/plan.js';
import type { InputSpec } from '../program/trace.js';
import { ArrayBlock } from '../tensor/array_block.js';
import type { ArrayOf } from '../tensor/dtype.js';

/** The plans of a batch as `ivfProbe` takes them. */
export interface EncodedPlans {
  /** By request: its plan, -1 for none. */
  index: ArrayOf<'int32'>;
  /** `[plans + 1]`: first step of a plan. */
  offsets: ArrayOf<'int32'>;
  /** [steps, 4]. */
  steps: ArrayOf<'int64'>;
}

/** The inputs of a program that takes {@link EncodedPlans}. */
export function filterPlanInputs() {
  return {
    index: { dtype: 'int32', shape: ['batch'] },
    offsets: { dtype: 'int32', shape: ['plan_offsets'] },
    steps: { dtype: 'int64', shape: ['plan_steps', 4] },
  } as const satisfies Record<keyof EncodedPlans, InputSpec>;
}

/** Packs the plans of a batch; requests with equal plans share one, so that it is evaluated once. */
export function encodePlans(plans: readonly (FilterPlan | undefined)[], block = new ArrayBlock()): EncodedPlans {
  const distinct = new Map<string, number>();
  const kept: FilterPlan[] = [];
  const index = block.from('int32', plans, (plan) => {
    if (plan === undefined) return -1;
    const known = distinct.get(plan.key);
    if (known !== undefined) return known;
    distinct.set(plan.key, kept.length);
    return kept.push(plan) - 1;
  });
  return { index, ...packPlans(kept, block) };
}

/** Plans back to back. */
export function packPlans(plans: readonly FilterPlan[], block = new ArrayBlock()): Omit<EncodedPlans, 'index'> {
  const offsets = block.array('int32', plans.length + 1);
  for (const [i, plan] of plans.entries()) offsets[i + 1] = (offsets[i] as number) + plan.steps.length / 4;
  const steps = block.array('int64', 4 * (offsets.at(-1) as number));
  for (const [i, plan] of plans.entries()) steps.set(plan.steps, 4 * (offsets[i] as number));
  return { offsets, steps };
}
