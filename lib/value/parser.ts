import { SilverlodeError } from '../errors.js';
import { withOrigin } from '../language/origin.js';
import { excerpt, hint } from '../language/text.js';
import { type FormulaExpr, MAX_FORMULA_DEPTH, MAX_FORMULA_NODES, MAX_FORMULA_TEXT, sourceOf } from './ast.js';
import { checkFormula } from './check.js';
import { readToken, type Token } from './lexer.js';
import { ARITY, type Operation } from './opcodes.js';

/** Binary operators: how tightly each binds, and its operation. */
const INFIX: ReadonlyMap<string, readonly [level: number, operation: Operation]> = new Map([
  ['or', [1, 'or']],
  ['and', [2, 'and']],
  ['<', [4, 'lt']],
  ['<=', [4, 'le']],
  ['>', [4, 'gt']],
  ['>=', [4, 'ge']],
  ['==', [4, 'eq']],
  ['!=', [4, 'ne']],
  ['+', [5, 'add']],
  ['-', [5, 'sub']],
  ['*', [6, 'mul']],
  ['/', [6, 'div']],
]);
const NOT_LEVEL = 3;
const COMPARISON_LEVEL = 4;
const SIGN_LEVEL = 7;

const FUNCTIONS: readonly Operation[] = [
  'abs',
  'clamp',
  'exp',
  'if',
  'log',
  'log1p',
  'max',
  'min',
  'pow',
  'sigmoid',
  'sqrt',
];

/**
 * Parses a formula such as `2*sigmoid(click) - weight.report*sigmoid(report) + if(age_hours < 24, 0.1, 0)`, or checks
 * one given as a tree.
 *
 * From loose to tight: `or`, `and`, `not`, comparisons (`< <= > >= == !=`, which do not chain), `+ -`, `* /`, unary
 * minus. Functions: `if min max clamp abs exp log log1p sqrt pow sigmoid`. Names are tasks, item columns, `score` and
 * `weight.<name>`; a name in double quotes is a task or column, whatever characters it has.
 *
 * @returns The formula as a tree; it is plain data and may be changed into JSON.
 * @throws {@link SilverlodeError} `FORMULA_SYNTAX` with the `position` (UTF-16 offset) or, in a tree, the `path` of the
 *   fault; also for a formula beyond {@link MAX_FORMULA_TEXT}, {@link MAX_FORMULA_NODES} or {@link MAX_FORMULA_DEPTH}.
 */
export function parseFormula(formula: string | FormulaExpr): FormulaExpr {
  if (typeof formula !== 'string') return checkFormula(formula);
  if (formula.length > MAX_FORMULA_TEXT) {
    throw syntax(`the formula is longer than ${MAX_FORMULA_TEXT} characters`, MAX_FORMULA_TEXT);
  }
  return new Parser(formula).parse();
}

/** Precedence climbing; the depth limit bounds its recursion. */
class Parser {
  private token: Token;
  private end: number;
  private nodes = 0;
  private depth = 0;

  constructor(private readonly text: string) {
    ({ token: this.token, end: this.end } = readToken(text, 0));
  }

  parse(): FormulaExpr {
    const node = this.expression(0);
    if (this.token.kind !== 'end') throw this.unexpected('an operator or the end');
    return node;
  }

  /** Operators that bind at least as tightly as `level`, and their operands. */
  private expression(level: number): FormulaExpr {
    let left = this.prefix(level);
    let chain: { operation: Operation; operands: FormulaExpr[] } | undefined;
    for (;;) {
      const [binding, operation] = this.infix() ?? [];
      if (binding === undefined || operation === undefined || binding < level) return left;
      const { position } = this.advance();
      const right = this.expression(binding + 1);
      if (chain?.operation === operation && ARITY[operation].variadic) {
        chain.operands.push(right);
      } else {
        chain = { operation, operands: [left, right] };
        left = this.node(operation, chain.operands, position);
      }
      if (binding === COMPARISON_LEVEL && this.infix()?.[0] === COMPARISON_LEVEL) {
        throw syntax('comparisons do not chain: join them with and', this.token.position);
      }
    }
  }

  private infix() {
    return this.token.kind === 'symbol' || this.token.kind === 'name' ? INFIX.get(this.token.text) : undefined;
  }

  private prefix(level: number): FormulaExpr {
    const { position } = this.token;
    if (this.is('not')) {
      if (level > NOT_LEVEL) throw this.unexpected('a value (a not in here needs parentheses)');
      this.advance();
      return this.node('not', [this.nested(NOT_LEVEL, position)], position);
    }
    if (this.accept('-')) return this.node('neg', [this.nested(SIGN_LEVEL, position)], position);
    return this.primary();
  }

  private nested(level: number, position: number): FormulaExpr {
    if (++this.depth > MAX_FORMULA_DEPTH) throw syntax('the formula is nested too deeply', position);
    const node = this.expression(level);
    this.depth--;
    return node;
  }

  private primary(): FormulaExpr {
    const { kind, text, position } = this.token;
    if (this.accept('(')) {
      const node = this.nested(0, position);
      this.expect(')');
      return node;
    }
    if (kind === 'end' || kind === 'symbol' || (kind === 'name' && INFIX.has(text))) throw this.unexpected('a value');
    this.advance();
    if (kind === 'name' && this.is('(')) return this.call(text, position);
    this.count(position);
    if (kind === 'quoted') return withOrigin({ name: text }, { position });
    if (kind === 'name') {
      if (text === 'weight.') throw syntax('a weight needs a name after "weight."', position);
      return withOrigin(sourceOf(text), { position });
    }
    const value = Number(text);
    if (!Number.isFinite(Math.fround(value))) throw syntax(`${excerpt(text)} is beyond float32`, position);
    return value;
  }

  private call(name: string, position: number): FormulaExpr {
    const operation = FUNCTIONS.find((known) => known === name);
    if (operation === undefined) throw syntax(`unknown function ${excerpt(name)}: ${hint(name, FUNCTIONS)}`, position);
    this.expect('(');
    const operands = [this.nested(0, position)];
    while (this.accept(',')) operands.push(this.nested(0, position));
    if (!this.accept(')')) throw this.unexpected('an operator, "," or ")"');
    const { operands: needed, variadic } = ARITY[operation];
    if (operands.length < needed || (operands.length > needed && !variadic)) {
      const expected = `${needed}${variadic ? ' or more' : ''}`;
      throw syntax(`${name} takes ${expected} arguments, not ${operands.length}`, position);
    }
    return this.node(operation, operands, position);
  }

  private node(operation: Operation, operands: FormulaExpr[], position: number): FormulaExpr {
    this.count(position);
    const body = ARITY[operation].operands === 1 ? operands[0] : operands;
    return withOrigin({ [operation]: body } as Exclude<FormulaExpr, number | string>, { position });
  }

  private count(position: number): void {
    if (++this.nodes > MAX_FORMULA_NODES)
      throw syntax(`the formula has more than ${MAX_FORMULA_NODES} parts`, position);
  }

  private is(text: string): boolean {
    return this.token.text === text && this.token.kind !== 'quoted';
  }

  private accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.advance();
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw this.unexpected(`an operator or "${text}"`);
  }

  private advance(): Token {
    const passed = this.token;
    ({ token: this.token, end: this.end } = readToken(this.text, this.end));
    return passed;
  }

  private unexpected(expected: string): SilverlodeError {
    const { kind, text, position } = this.token;
    return syntax(`expected ${expected}, found ${kind === 'end' ? 'the end' : excerpt(text)}`, position);
  }
}

function syntax(problem: string, position: number): SilverlodeError {
  return new SilverlodeError('FORMULA_SYNTAX', `Formula, position ${position}: ${problem}`, { position });
}
