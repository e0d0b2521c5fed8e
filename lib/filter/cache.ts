import type { FilterExpr } from './ast.js';
import { checkFilter } from './check.js';
import { parseFilter } from './parser.js';
import { compilePlan, type FilterPlan } from './plan.js';
import type { FilterSchema } from './schema.js';

const MAX_ENTRIES = 1024;
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Compiled filters of one index, the least recently used dropped first: at most 1 024 of them and 32 MiB in all.
 *
 * Keyed by text as written, or by the JSON of the checked tree. Failures are not kept.
 */
export class PlanCache {
  private readonly plans = new Map<string, FilterPlan>(); // from the least to the most recently used
  private bytes = 0;

  constructor(private readonly schema: FilterSchema) {}

  /** As `compileFilter`, with its errors. The plan is shared: it must not be changed. */
  compile(filter: string | FilterExpr): FilterPlan {
    const node = typeof filter === 'string' ? undefined : checkFilter(filter);
    const key = node === undefined ? `text ${filter}` : `tree ${JSON.stringify(node)}`;
    const known = this.plans.get(key);
    if (known !== undefined) {
      this.plans.delete(key);
      this.plans.set(key, known);
      return known;
    }
    const plan = compilePlan(node ?? parseFilter(filter as string), this.schema);
    this.plans.set(key, plan);
    this.bytes += footprint(key, plan);
    this.evict();
    return plan;
  }

  private evict(): void {
    for (const [key, plan] of this.plans) {
      if (this.plans.size <= MAX_ENTRIES && this.bytes <= MAX_BYTES) return;
      this.plans.delete(key);
      this.bytes -= footprint(key, plan);
    }
  }
}

function footprint(key: string, plan: FilterPlan): number {
  return 2 * (key.length + plan.key.length) + plan.steps.byteLength;
}
