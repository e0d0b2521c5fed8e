import type { FilterNode, FilterValue } from '../../lib/filter/ast.js';
import { float64Key } from '../../lib/filter/numbers.js';
import type { FilterPlan } from '../../lib/filter/plan.js';
import type { FieldSchema, FieldType, FilterSchema, TermRef } from '../../lib/filter/schema.js';

export type AttributeValue = string | boolean | bigint | number;

/** One attribute of every item: no value, one, or several. */
export interface Attribute {
  readonly name: string;
  readonly type: FieldType;
  readonly multi: boolean;
  /** Of a single int64: the width of its column. */
  readonly width?: 32 | 64;
  readonly values: readonly (readonly AttributeValue[])[];
}

/** Whether an item satisfies a filter, read off its attributes: what every plan must agree with. */
export function matches(filter: FilterNode, attributes: readonly Attribute[], item: number): boolean {
  if ('all' in filter) return true;
  if ('and' in filter) return filter.and.every((part) => matches(part, attributes, item));
  if ('or' in filter) return filter.or.some((part) => matches(part, attributes, item));
  if ('not' in filter) return !matches(filter.not, attributes, item);
  const values = (name: string) => attributes.find((attribute) => attribute.name === name)?.values[item] ?? [];
  if ('exists' in filter) return values(filter.exists).length > 0;
  if ('eq' in filter) return values(filter.eq[0]).some((value) => same(value, filter.eq[1]));
  if ('in' in filter) return values(filter.in[0]).some((value) => filter.in[1].some((literal) => same(value, literal)));
  const [name, { gte, gt, lte, lt }] = filter.range;
  return values(name).some((value) => {
    if (typeof value === 'string' || typeof value === 'boolean') return false;
    return (
      (gte === undefined || value >= numeric(gte, value)) &&
      (gt === undefined || value > numeric(gt, value)) &&
      (lte === undefined || value <= numeric(lte, value)) &&
      (lt === undefined || value < numeric(lt, value))
    );
  });
}

function same(value: AttributeValue, literal: FilterValue): boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value) === String(literal);
  const number = numeric(literal, value);
  return value <= number && value >= number;
}

/** JavaScript compares bigint and number exactly, so an integer needs no rounding here. */
function numeric(literal: FilterValue, beside: AttributeValue): bigint | number {
  return typeof beside === 'bigint' && /^-?\d+$/.test(String(literal)) ? BigInt(String(literal)) : Number(literal);
}

/** An index over attributes without any native code, and a plan interpreter that treats Bloom terms as exact. */
export class ReferenceIndex implements FilterSchema {
  readonly fields: Map<string, FieldSchema>;
  private readonly slices: boolean[][] = [];
  private readonly terms: boolean[][] = [];
  private readonly columns: Record<32 | 64, bigint[][]> = { 32: [], 64: [] };

  constructor(attributes: readonly Attribute[]) {
    this.fields = new Map(attributes.map((attribute) => [attribute.name, this.field(attribute)]));
  }

  /** The items, by ordinal, that a plan lets pass. */
  run(plan: FilterPlan, items: number): number[] {
    return Array.from({ length: items }, (_, item) => item).filter((item) => this.passes(plan, item));
  }

  private passes(plan: FilterPlan, item: number): boolean {
    const stack: boolean[] = [];
    const pop = () => {
      const top = stack.pop();
      if (top === undefined) throw new Error('stack underflow');
      return top;
    };
    for (let i = 0; i < plan.steps.length; i += 4) {
      const [op, arg, lo = 0n, hi = 0n] = plan.steps.subarray(i, i + 4);
      const at = Number(arg);
      const inRange = (column: bigint[] | undefined) => {
        const value = column?.[item];
        if (value === undefined) throw new Error(`no column ${arg}`);
        return lo <= value && value <= hi;
      };
      if (op === 0n) stack.push(true);
      else if (op === 1n) stack.push(false);
      else if (op === 2n) stack.push(this.slices[at]?.[item] as boolean);
      else if (op === 3n) stack.push(this.terms[at]?.[item] as boolean);
      else if (op === 4n) stack.push(inRange(this.columns[32][at]));
      else if (op === 5n) stack.push(inRange(this.columns[64][at]));
      else if (op === 6n) stack.push(!pop());
      else {
        const [b, a] = [pop(), pop()];
        stack.push(op === 7n ? a && b : a || b);
      }
      if (stack.length > plan.stackDepth) throw new Error(`stack holds ${stack.length}, promised ${plan.stackDepth}`);
    }
    if (stack.length !== 1) throw new Error(`${stack.length} masks are left`);
    return pop();
  }

  private field({ name, type, multi, width = 64, values }: Attribute): FieldSchema {
    const refs = new Map<AttributeValue, TermRef>();
    for (const value of new Set(values.flat())) {
      const holders = values.map((own) => own.includes(value));
      // Every other value lives in the Bloom signature, so that both kinds of term are met.
      if (refs.size % 2 === 0) refs.set(value, { kind: 'slice', slice: this.slices.push(holders) - 1 });
      else refs.set(value, { kind: 'bloom', term: this.terms.push(holders) - 1, hash: 0x8000_0000_0000_0001n });
    }
    const complete = values.every((own) => own.length > 0);
    const existsSlice = complete ? -1 : this.slices.push(values.map((own) => own.length > 0)) - 1;
    const isNumber = type === 'int64' || type === 'float64';
    const keys = () => values.map(([value]) => (typeof value === 'number' ? float64Key(value) : BigInt(value ?? 0)));
    const column = isNumber && !multi ? { width, index: this.columns[width].push(keys()) - 1 } : undefined;
    return { name, type, multi, existsSlice, column, lookup: (value) => refs.get(value) };
  }
}
