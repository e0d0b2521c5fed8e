import type { FormulaExpr } from '../../lib/value/ast.js';
import type { ValueProgram } from '../../lib/value/compile.js';
import { ValueOp } from '../../lib/value/opcodes.js';

/** What a formula reads for one candidate. */
export interface Candidate {
  readonly score: number;
  readonly tasks: Readonly<Record<string, number>>;
  readonly columns: Readonly<Record<string, number>>;
  readonly weights: Readonly<Record<string, number>>;
}

const truth = (x: number) => x !== 0 && !Number.isNaN(x);
const bit = (x: boolean) => (x ? 1 : 0);

/** NaN when either is; of equal ones, such as zeros of different sign, the second. */
const min = (a: number, b: number) => (Number.isNaN(a) || a < b ? a : b);
const max = (a: number, b: number) => (Number.isNaN(a) || a > b ? a : b);

/** As IEEE 754 has it: JavaScript's ** gives NaN for 1 ** NaN, 1 ** Infinity and (-1) ** Infinity. */
const power = (a: number, b: number) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

/**
 * Operations on numbers that are float32 already. `+ - * /` and sqrt in float64 and rounded once more are exact float32
 * results; the transcendental functions of float64 are within one unit of the last place of any good float32 one.
 */
const operations: Readonly<Record<string, (a: number, b: number, c: number) => number>> = {
  neg: (a) => -a,
  not: (a) => bit(!truth(a)),
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: power,
  min,
  max,
  lt: (a, b) => bit(a < b),
  le: (a, b) => bit(a <= b),
  gt: (a, b) => bit(a > b),
  ge: (a, b) => bit(a >= b),
  eq: (a, b) => bit(a === b),
  ne: (a, b) => bit(a !== b),
  and: (a, b) => bit(truth(a) && truth(b)),
  or: (a, b) => bit(truth(a) || truth(b)),
  if: (a, b, c) => (truth(a) ? b : c),
  clamp: (a, b, c) => min(max(a, b), c),
};

function apply(operation: string, a: number, b = 0, c = 0): number {
  const operate = operations[operation];
  if (operate === undefined) throw new Error(`no operation ${operation}`);
  return Math.fround(operate(a, b, c));
}

/** The value of a formula, read off its tree. */
export function evaluateFormula(formula: FormulaExpr, candidate: Candidate): number {
  if (typeof formula === 'number') return Math.fround(formula);
  if (typeof formula === 'string') throw new Error('the tree is not checked');
  if ('score' in formula) return Math.fround(candidate.score);
  if ('weight' in formula) return Math.fround(candidate.weights[formula.weight] ?? 0);
  if ('name' in formula)
    return Math.fround(candidate.tasks[formula.name] ?? candidate.columns[formula.name] ?? Number.NaN);
  const [operation, body] = Object.entries(formula)[0] as [string, FormulaExpr | readonly FormulaExpr[]];
  const operands = (Array.isArray(body) ? body : [body]).map((operand) => evaluateFormula(operand, candidate));
  if (operands.length <= 3 && operation in { if: 1, clamp: 1 }) return apply(operation, ...(operands as [number]));
  if (operands.length === 1) return apply(operation, operands[0] as number);
  return operands.reduce((a, b) => apply(operation, a, b));
}

const names = new Map<number, string>(Object.entries(ValueOp).map(([name, code]) => [code, name]));

/** The value that a compiled program computes; tasks and columns in the order of the scope it was compiled for. */
export function runValueProgram(
  program: ValueProgram,
  tasks: readonly number[],
  columns: readonly number[],
  candidate: Candidate,
): number {
  const stack: number[] = [];
  const pop = () => {
    const top = stack.pop();
    if (top === undefined) throw new Error('stack underflow');
    return top;
  };
  const read = (values: ArrayLike<number>, index: number) => {
    const value = values[index];
    if (value === undefined) throw new Error(`nothing at ${index}`);
    return Math.fround(value);
  };
  const weights = program.weights.map((slot) => candidate.weights[slot.name] ?? slot.default);
  for (let i = 0; i < program.steps.length; i += 2) {
    const [code = -1, argument = -1] = program.steps.subarray(i, i + 2);
    if (code === ValueOp.const) stack.push(read(program.constants, argument));
    else if (code === ValueOp.task) stack.push(read(tasks, argument));
    else if (code === ValueOp.score) stack.push(Math.fround(candidate.score));
    else if (code === ValueOp.weight) stack.push(read(weights, argument));
    else if (code === ValueOp.column) stack.push(read(columns, argument));
    else {
      const operands = Array.from({ length: code < 20 ? 1 : code < 40 ? 2 : 3 }, pop).reverse();
      stack.push(apply(names.get(code) ?? '', ...(operands as [number])));
    }
    if (stack.length > program.stackDepth)
      throw new Error(`stack holds ${stack.length}, promised ${program.stackDepth}`);
  }
  if (stack.length !== 1) throw new Error(`${stack.length} values are left`);
  return pop();
}
