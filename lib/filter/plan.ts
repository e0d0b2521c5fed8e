import { SilverlodeError } from '../errors.js';
import { originOf } from '../language/origin.js';
import { excerpt, hint } from '../language/text.js';
import type { FilterBounds, FilterExpr, FilterNode, FilterValue } from './ast.js';
import { checkFilter } from './check.js';
import { parseDate } from './dates.js';
import { float64Key, integerFloor, isNumber, literalText } from './numbers.js';
import { FilterOp } from './opcodes.js';
import { parseFilter } from './parser.js';
import type { FieldSchema, FilterSchema, TermRef } from './schema.js';
import { ALL, conjunction, disjunction, leaf, NONE, negation, type PlanNode } from './simplify.js';

/** A filter compiled for one index: a postfix program over its slices, Bloom terms and columns. */
export interface FilterPlan {
  /** Shape `[n, 4]`: opcode, argument, lo, hi; see `FilterOp`. */
  readonly steps: BigInt64Array;
  /** Masks held at once while the steps run; at most 14. */
  readonly stackDepth: number;
  /** Steps that read the index. */
  readonly terms: number;
  /** No more items than this satisfy it when the index was built; Infinity where that is not known. */
  readonly atMost: number;
  /** Equal for plans that mean the same steps, so that a batch evaluates each of them once. */
  readonly key: string;
}

/**
 * Compiles a filter, given as text or as a tree, for one index.
 *
 * Literals are read by the type of their field, exactly: a bound beside an int64 column is rounded to the integer that
 * keeps its meaning (`year:>1990.5` is `year:>=1991`), and bounds beyond the column's range are open or match nothing.
 *
 * @throws {@link SilverlodeError} `FILTER_SYNTAX`, `LIMIT_EXCEEDED` as {@link parseFilter} and {@link checkFilter} say;
 *   `FILTER_SYNTAX` also for a literal of the wrong kind and for a range on anything but a single-valued number;
 *   `UNKNOWN_FIELD`. Each has the `field`, and the `position` (text) or `path` (tree).
 */
export function compileFilter(filter: string | FilterExpr, schema: FilterSchema): FilterPlan {
  return compilePlan(typeof filter === 'string' ? parseFilter(filter) : checkFilter(filter), schema);
}

/** Compiles a checked filter, see {@link compileFilter}. */
export function compilePlan(filter: FilterNode, schema: FilterSchema): FilterPlan {
  const root = resolve(filter, schema);
  const steps: bigint[] = [];
  const terms = emit(root, steps);
  return { steps: BigInt64Array.from(steps), stackDepth: root.stack, terms, atMost: root.atMost, key: root.key };
}

/** Appends the steps of `node` and counts those that read the index. */
function emit(node: PlanNode, steps: bigint[]): number {
  const [first, ...rest] = node.children;
  if (first === undefined) {
    steps.push(BigInt(node.op), BigInt(node.arg), node.lo, node.hi);
    return node === ALL || node === NONE ? 0 : 1;
  }
  let terms = emit(first, steps);
  if (node.op === FilterOp.not) steps.push(BigInt(node.op), 0n, 0n, 0n);
  for (const child of rest) {
    terms += emit(child, steps);
    steps.push(BigInt(node.op), 0n, 0n, 0n);
  }
  return terms;
}

/** Recursion ends at the depth limit that parser and check keep. */
function resolve(node: FilterNode, schema: FilterSchema): PlanNode {
  if ('and' in node) return conjunction(node.and.map((child) => resolve(child, schema)));
  if ('or' in node) return disjunction(node.or.map((child) => resolve(child, schema)));
  if ('not' in node) return negation(resolve(node.not, schema));
  if ('all' in node) return ALL;
  return new LeafCompiler(node, schema).compile();
}

type FieldTest = Extract<FilterNode, { eq: unknown } | { in: unknown } | { range: unknown } | { exists: unknown }>;

/** One test of one field. */
class LeafCompiler {
  private readonly field: FieldSchema;

  constructor(
    private readonly node: FieldTest,
    schema: FilterSchema,
  ) {
    const name = 'exists' in node ? node.exists : 'eq' in node ? node.eq[0] : 'in' in node ? node.in[0] : node.range[0];
    const field = schema.fields.get(name);
    if (field === undefined) {
      const message = `Unknown field ${excerpt(name)}: ${hint(name, [...schema.fields.keys()])}`;
      throw new SilverlodeError('UNKNOWN_FIELD', message, { field: name, ...this.place(originOf(node).position) });
    }
    this.field = field;
  }

  compile(): PlanNode {
    const { node } = this;
    if ('exists' in node) return this.present();
    if ('range' in node) return conjunction([this.present(), this.range(node.range[1])]);
    const values = 'eq' in node ? [node.eq[1]] : node.in[1];
    const any = disjunction(values.map((value, i) => this.equals(value, i)));
    // A term is not set where there is no value; a column holds something everywhere.
    return this.field.column ? conjunction([this.present(), any]) : any;
  }

  private present(): PlanNode {
    const { existsSlice, empty } = this.field;
    if (empty) return NONE;
    return existsSlice < 0 ? ALL : leaf(FilterOp.slice, { arg: existsSlice });
  }

  private equals(value: FilterValue, index: number): PlanNode {
    const text = literalText(value);
    switch (this.field.type) {
      case 'string':
        return term(this.field.lookup(text));
      case 'boolean':
        if (text !== 'true' && text !== 'false') throw this.wrongLiteral(text, 'true or false', index);
        return term(this.field.lookup(text === 'true'));
      case 'int64': {
        const date = parseDate(text);
        if (date)
          return this.field.column ? this.between(date.begin, date.end - 1n) : term(this.field.lookup(date.begin));
        if (!isNumber(text)) throw this.wrongLiteral(text, 'an integer', index);
        const { floor, fractional } = integerFloor(text);
        if (fractional) throw this.wrongLiteral(text, 'an integer', index);
        if (BigInt.asIntN(64, floor) !== floor) throw this.wrongLiteral(text, 'within int64', index);
        return this.field.column ? this.between(floor, floor) : term(this.field.lookup(floor));
      }
      case 'float64': {
        const date = parseDate(text);
        if (date && this.field.column) return this.between(keyOf(date.begin), keyOf(date.end) - 1n);
        const number = this.float(text, index) + 0; // +0 for -0
        const key = float64Key(number);
        return this.field.column ? this.between(key, key) : term(this.field.lookup(number));
      }
    }
  }

  private range(bounds: FilterBounds): PlanNode {
    const { column, type, multi } = this.field;
    if (column === undefined) {
      const problem = `holds ${multi ? 'several values' : `a ${type}`}; ranges need a single-valued number`;
      throw this.fault(problem, originOf(this.node).position);
    }
    let [lo, hi] = domain(this.field);
    for (const [index, [name, bound]] of Object.entries(bounds).entries()) {
      const [low, high] = this.bound(name, literalText(bound), index);
      if (low !== undefined && low > lo) lo = low;
      if (high !== undefined && high < hi) hi = high;
    }
    return this.between(lo, hi);
  }

  /** One bound as the lowest or the highest stored integer that satisfies it. */
  private bound(name: string, text: string, index: number): [low?: bigint, high?: bigint] {
    const isInteger = this.field.type === 'int64';
    const date = parseDate(text);
    if (date) {
      const [begin, end] = isInteger ? [date.begin, date.end] : [keyOf(date.begin), keyOf(date.end)];
      if (name === 'gte') return [begin];
      if (name === 'gt') return [end];
      return [undefined, (name === 'lte' ? end : begin) - 1n];
    }
    const { floor, fractional } = isInteger
      ? integerFloor(text)
      : { floor: float64Key(this.float(text, index)), fractional: false };
    if (name === 'gte') return [fractional ? floor + 1n : floor];
    if (name === 'gt') return [floor + 1n];
    return [undefined, name === 'lte' || fractional ? floor : floor - 1n];
  }

  private float(text: string, index: number): number {
    const date = parseDate(text);
    if (date) return Number(date.begin);
    if (!isNumber(text)) throw this.wrongLiteral(text, 'a number', index);
    const number = Number(text);
    if (!Number.isFinite(number)) throw this.wrongLiteral(text, 'within float64', index);
    return number;
  }

  /** The stored integers from `low` to `high`, as far as the column can hold them. */
  private between(low: bigint, high: bigint): PlanNode {
    const [min, max] = domain(this.field);
    const lo = low > min ? low : min;
    const hi = high < max ? high : max;
    if (lo > hi) return NONE;
    if (lo === min && hi === max) return ALL;
    const { width, index } = this.field.column as NonNullable<FieldSchema['column']>;
    return leaf(width === 32 ? FilterOp.range32 : FilterOp.range64, { arg: index, lo, hi });
  }

  private wrongLiteral(text: string, expected: string, index: number): SilverlodeError {
    return this.fault(
      `is ${this.field.type}: ${excerpt(text)} is not ${expected}`,
      originOf(this.node).literals?.[index],
    );
  }

  private fault(problem: string, position: number | undefined): SilverlodeError {
    const { name } = this.field;
    const details = { field: name, ...this.place(position) };
    return new SilverlodeError('FILTER_SYNTAX', `Field ${excerpt(name)} ${problem}`, details);
  }

  private place(position: number | undefined): { position: number } | { path: string | undefined } {
    return position === undefined ? { path: originOf(this.node).path } : { position };
  }
}

function keyOf(milliseconds: bigint): bigint {
  return float64Key(Number(milliseconds));
}

/** The integers that the column of a field can hold. */
function domain({ type, column }: FieldSchema): readonly [bigint, bigint] {
  if (type === 'float64') return [float64Key(Number.NEGATIVE_INFINITY), float64Key(Number.POSITIVE_INFINITY)];
  const half = 1n << BigInt((column?.width ?? 64) - 1);
  return [-half, half - 1n];
}

function term(ref: TermRef | undefined): PlanNode {
  if (ref === undefined) return NONE;
  const { items: atMost } = ref;
  if (ref.kind === 'slice') return leaf(FilterOp.slice, { arg: ref.slice, atMost });
  return leaf(FilterOp.bloom, { arg: ref.term, lo: BigInt.asIntN(64, ref.hash), atMost });
}
