import { FilterOp } from './opcodes.js';

/** A node of a plan: leaves refer to the index, and everything that can be decided without it has been. */
export interface PlanNode {
  readonly op: number;
  readonly arg: number;
  readonly lo: bigint;
  readonly hi: bigint;
  readonly children: readonly PlanNode[];
  /** Equal for equal plans, whatever the order in which they were written. */
  readonly key: string;
  /** Stack entries that evaluating the node takes. */
  readonly stack: number;
  /** No more items than this satisfy it; Infinity where nothing is known. */
  readonly atMost: number;
}

/** Beside the opcode, see `native/ops/filter_index.h`. */
interface LeafOperands {
  arg?: number;
  lo?: bigint;
  hi?: bigint;
  atMost?: number | undefined;
}

export const ALL = leaf(FilterOp.all);
export const NONE = leaf(FilterOp.none, { atMost: 0 });

/** A step that pushes one mask. */
export function leaf(op: number, { arg = 0, lo = 0n, hi = 0n, atMost = Infinity }: LeafOperands = {}): PlanNode {
  return { op, arg, lo, hi, children: [], key: `${op}:${arg}:${lo}:${hi}`, stack: 1, atMost };
}

export function negation(node: PlanNode): PlanNode {
  if (node === ALL) return NONE;
  if (node === NONE) return ALL;
  const [inner] = node.children;
  if (node.op === FilterOp.not && inner !== undefined) return inner;
  return inside(FilterOp.not, [node], node.stack, Number.POSITIVE_INFINITY);
}

export function conjunction(nodes: readonly PlanNode[]): PlanNode {
  const distinct = operands(FilterOp.and, nodes);
  intersectRanges(distinct);
  if (distinct.has(NONE.key)) return NONE;
  distinct.delete(ALL.key);
  return combine(FilterOp.and, distinct) ?? ALL;
}

export function disjunction(nodes: readonly PlanNode[]): PlanNode {
  const distinct = operands(FilterOp.or, nodes);
  if (distinct.has(ALL.key)) return ALL;
  distinct.delete(NONE.key);
  return combine(FilterOp.or, distinct) ?? NONE;
}

/** The operands without duplicates, those of nested nodes of the same kind among them. */
function operands(op: number, nodes: readonly PlanNode[]): Map<string, PlanNode> {
  const distinct = new Map<string, PlanNode>();
  for (const node of nodes) {
    for (const operand of node.op === op ? node.children : [node]) distinct.set(operand.key, operand);
  }
  return distinct;
}

/** Ranges over one column that must all hold are one range: `year:>=1990 AND year:<2000` reads the column once. */
function intersectRanges(distinct: Map<string, PlanNode>): void {
  const byColumn = new Map<string, PlanNode>();
  for (const node of [...distinct.values()]) {
    if (node.op !== FilterOp.range32 && node.op !== FilterOp.range64) continue;
    const column = `${node.op}:${node.arg}`;
    const other = byColumn.get(column);
    if (other === undefined) {
      byColumn.set(column, node);
      continue;
    }
    const lo = node.lo > other.lo ? node.lo : other.lo;
    const hi = node.hi < other.hi ? node.hi : other.hi;
    const both = lo > hi ? NONE : leaf(node.op, { arg: node.arg, lo, hi });
    distinct.delete(node.key);
    distinct.delete(other.key);
    distinct.set(both.key, both);
    if (both === NONE) return;
    byColumn.set(column, both);
  }
}

function combine(op: number, distinct: ReadonlyMap<string, PlanNode>): PlanNode | undefined {
  const children = [...distinct.values()].sort(inOrderOfEvaluation);
  const [first, second] = children;
  if (second === undefined) return first;
  const bounds = children.map(({ atMost }) => atMost);
  const atMost = op === FilterOp.and ? Math.min(...bounds) : bounds.reduce((sum, bound) => sum + bound, 0);
  return inside(op, children, Math.max((first as PlanNode).stack, second.stack + 1), atMost);
}

function inside(op: number, children: readonly PlanNode[], stack: number, atMost: number): PlanNode {
  const key = `${op}(${children.map((child) => child.key).join(' ')})`;
  return { op, arg: 0, lo: 0n, hi: 0n, children, key, stack, atMost };
}

/**
 * The operand that takes most stack first: while it runs nothing else is held, so n leaves never take more than
 * 1 + log2(n) entries, however they are nested. Then by cost (exact slices, ranges, Bloom terms), then by key.
 */
function inOrderOfEvaluation(a: PlanNode, b: PlanNode): number {
  return b.stack - a.stack || cost(a) - cost(b) || (a.key < b.key ? -1 : 1);
}

function cost(node: PlanNode): number {
  const [inner] = node.children;
  if (inner !== undefined) return cost(inner);
  return node.op === FilterOp.bloom ? 2 : node.op === FilterOp.slice ? 0 : 1;
}
