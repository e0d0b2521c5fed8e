/**
 * Operations of a compiled formula, numbered as in `native/ops/value_model.h`.
 *
 * Every operation is one float32 operation per candidate, rounded once. Comparisons and logic give 1 or 0; a value is
 * true when it is neither 0 nor NaN. Division by zero and the log of 0 follow IEEE. `min` and `max` are NaN when
 * either operand is, and give the second of equal ones; `clamp(x, lo, hi)` is `min(max(x, lo), hi)`; `if` evaluates
 * both branches and selects.
 */
export const ValueOp = {
  /** argument: index among the constants */
  const: 0,
  /** argument: index among the tasks */
  task: 1,
  /** the retrieval score */
  score: 2,
  /** argument: index among the program's weights */
  weight: 3,
  /** argument: index among the item columns */
  column: 4,
  neg: 10,
  not: 11,
  abs: 12,
  exp: 13,
  log: 14,
  log1p: 15,
  sqrt: 16,
  sigmoid: 17,
  add: 20,
  sub: 21,
  mul: 22,
  div: 23,
  pow: 24,
  min: 25,
  max: 26,
  lt: 30,
  le: 31,
  gt: 32,
  ge: 33,
  eq: 34,
  ne: 35,
  and: 36,
  or: 37,
  if: 40,
  clamp: 41,
} as const;

/** Names of the operations that have operands. */
export type Operation = Exclude<keyof typeof ValueOp, 'const' | 'task' | 'score' | 'weight' | 'column'>;

/** How many operands an operation takes; a `variadic` one takes more too, folded from the left. */
export interface Arity {
  readonly operands: 1 | 2 | 3;
  readonly variadic: boolean;
}

const unary: Arity = { operands: 1, variadic: false };
const binary: Arity = { operands: 2, variadic: false };
const ternary: Arity = { operands: 3, variadic: false };
const fold: Arity = { operands: 2, variadic: true };

/** The arity of every operation. */
export const ARITY: Readonly<Record<Operation, Arity>> = {
  neg: unary,
  not: unary,
  abs: unary,
  exp: unary,
  log: unary,
  log1p: unary,
  sqrt: unary,
  sigmoid: unary,
  add: fold,
  sub: binary,
  mul: fold,
  div: binary,
  pow: binary,
  min: fold,
  max: fold,
  lt: binary,
  le: binary,
  gt: binary,
  ge: binary,
  eq: binary,
  ne: binary,
  and: fold,
  or: fold,
  if: ternary,
  clamp: ternary,
};

/** Whether `name` is an operation with operands. */
export function isOperation(name: string): name is Operation {
  return Object.hasOwn(ARITY, name);
}
