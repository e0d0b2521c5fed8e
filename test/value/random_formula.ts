import type { Random } from '../../lib/data/random.js';
import type { FormulaExpr } from '../../lib/value/ast.js';

const UNARY = ['neg', 'not', 'abs', 'exp', 'log', 'log1p', 'sqrt', 'sigmoid'];
const PAIRS = ['sub', 'div', 'pow', 'lt', 'le', 'gt', 'ge', 'eq', 'ne'];
const FOLDS = ['add', 'mul', 'min', 'max', 'and', 'or'];
const SYMBOLS = new Map([
  ['or', 'or'],
  ['and', 'and'],
  ['lt', '<'],
  ['le', '<='],
  ['gt', '>'],
  ['ge', '>='],
  ['eq', '=='],
  ['ne', '!='],
  ['add', '+'],
  ['sub', '-'],
  ['mul', '*'],
  ['div', '/'],
]);
const LEVELS = [
  ['or'],
  ['and'],
  ['not'],
  ['lt', 'le', 'gt', 'ge', 'eq', 'ne'],
  ['add', 'sub'],
  ['mul', 'div'],
  ['neg'],
];

export const TASKS = ['click', 'like', 'both', 'score'];
export const COLUMNS = ['age_hours', 'both', 'odd "name"', 'if', 'größe'];
const WEIGHTS = ['report', 'boost'];

/** A valid formula in the form that the parser yields. */
export function randomFormula(random: Random, depth: number): FormulaExpr {
  const part = () => randomFormula(random, depth - 1);
  if (depth > 0 && random.chance(0.8)) {
    const kind = random.integer(4);
    if (kind === 0) return { [random.pick(UNARY)]: part() } as unknown as FormulaExpr;
    if (kind === 1) return { [random.pick(PAIRS)]: [part(), part()] } as unknown as FormulaExpr;
    if (kind === 2) return { [random.pick(['if', 'clamp'])]: [part(), part(), part()] } as unknown as FormulaExpr;
    const operands = Array.from({ length: 2 + random.integer(3) }, part);
    return { [random.pick(FOLDS)]: operands } as unknown as FormulaExpr;
  }
  const kind = random.integer(5);
  if (kind === 0) return { score: true };
  if (kind === 1) return { weight: random.pick(WEIGHTS) };
  if (kind === 2) return random.pick([0, 1, 2, 0.5, 0.1, 24, 1e-7, 1e30, random.uniform()]);
  return { name: random.pick([...TASKS, ...COLUMNS]) };
}

/** A formula as text; reading it gives the same tree. */
export function formatFormula(formula: FormulaExpr, random: Random): string {
  if (typeof formula === 'number') return String(formula);
  if (typeof formula === 'string') throw new Error('the tree is not checked');
  if ('score' in formula) return 'score';
  if ('weight' in formula) return `weight.${formula.weight}`;
  if ('name' in formula) {
    const bare = /^[\p{L}_][\p{L}0-9_.]*$/u.test(formula.name) && formula.name !== 'score';
    return bare && random.chance(0.8) ? formula.name : `"${formula.name.replace(/["\\]/g, '\\$&')}"`;
  }
  const [operation, body] = Object.entries(formula)[0] as [string, FormulaExpr | readonly FormulaExpr[]];
  const operands: readonly FormulaExpr[] = Array.isArray(body) ? body : [body];
  const level = levelOf(operation);
  const space = random.pick(['', ' ', '\n']);
  const operand = (node: FormulaExpr, min: number) => {
    const inner = typeof node === 'object' ? levelOf(Object.keys(node)[0] ?? '') : LEVELS.length;
    const text = formatFormula(node, random);
    return inner < min || random.chance(0.1) ? `(${space}${text}${space})` : text;
  };
  const [first = 0, ...rest] = operands;
  if (operation === 'not') return `not ${operand(first, level)}`;
  if (operation === 'neg') return `-${space}${operand(first, level)}`;
  const symbol = SYMBOLS.get(operation);
  if (symbol === undefined)
    return `${operation}${space}(${operands.map((node) => operand(node, 0)).join(`,${space}`)})`;
  // A left operand of the same operation needs its parentheses, else it would join the chain.
  const repeated = typeof first === 'object' && operation in first;
  const left = operand(first, repeated || LEVELS[level]?.includes('lt') ? level + 1 : level);
  return [left, ...rest.map((node) => operand(node, level + 1))].join(` ${symbol}${space || ' '}`);
}

function levelOf(operation: string): number {
  const level = LEVELS.findIndex((operations) => operations.includes(operation));
  return level < 0 ? LEVELS.length : level;
}
