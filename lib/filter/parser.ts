import { SilverlodeError } from '../errors.js';
import { withOrigin } from '../language/origin.js';
import { excerpt } from '../language/text.js';
import {
  type FilterBounds,
  type FilterNode,
  type FilterNumber,
  MAX_FILTER_DEPTH,
  MAX_FILTER_TERMS,
  MAX_FILTER_TEXT,
} from './ast.js';
import { parseDate } from './dates.js';
import { readToken, type Token } from './lexer.js';
import { isNumber } from './numbers.js';

/**
 * Parses a filter such as `language:en AND NOT tag:(x OR y) AND year:[1990 TO 2000}`.
 *
 * NOT binds tighter than AND, AND tighter than OR; keywords are capitals; there is no operator by adjacency. `*` or a
 * blank text matches everything. Values are taken as written, and read later by the type of their field; so a field may
 * hold names, and `year:1990` is a string on a string field.
 *
 * @returns The filter as a tree; it is plain data and may be changed into JSON.
 * @throws {@link SilverlodeError} `FILTER_SYNTAX` with the `position` (UTF-16 offset) of the fault, `LIMIT_EXCEEDED`
 *   with the `position` at which the filter is longer than {@link MAX_FILTER_TEXT}, deeper than
 *   {@link MAX_FILTER_DEPTH} or has more terms than {@link MAX_FILTER_TERMS}, `INVALID_ARGUMENT` when `text` is no string.
 */
export function parseFilter(text: string): FilterNode {
  if (typeof text !== 'string') throw new SilverlodeError('INVALID_ARGUMENT', 'A filter text must be a string');
  if (text.length > MAX_FILTER_TEXT) {
    throw limit(`is longer than ${MAX_FILTER_TEXT} characters`, MAX_FILTER_TEXT);
  }
  return new Parser(text).parse();
}

/** An open parenthesis, or the whole text: what was read inside it so far. */
class Group {
  negations = 0;
  private readonly alternatives: FilterNode[] = [];
  private conjuncts: FilterNode[] = [];

  constructor(readonly position: number) {}

  add(operand: FilterNode): void {
    let node = operand;
    for (; this.negations > 0; this.negations--) node = { not: node };
    this.conjuncts.push(node);
  }

  nextAlternative(): void {
    this.alternatives.push(join('and', this.conjuncts));
    this.conjuncts = [];
  }

  close(): FilterNode {
    this.nextAlternative();
    return join('or', this.alternatives);
  }
}

function join(kind: 'and' | 'or', nodes: readonly FilterNode[]): FilterNode {
  const [first] = nodes;
  if (nodes.length === 1 && first !== undefined) return first;
  return kind === 'and' ? { and: nodes } : { or: nodes };
}

/** Keeps its own stack of groups: a hostile text can fill that, within the limit, but not the call stack. */
class Parser {
  private token: Token;
  private end: number;
  private terms = 0;
  private depth = 3; // an OR of ANDs of leaves

  constructor(private readonly text: string) {
    ({ token: this.token, end: this.end } = readToken(text, 0));
  }

  parse(): FilterNode {
    if (this.token.kind === 'end') return { all: true };
    const groups = [new Group(0)];
    for (;;) {
      const group = this.openGroups(groups);
      this.add(group, this.leaf());
      const done = this.closeGroups(groups);
      if (done !== undefined) return done;
    }
  }

  /** Reads the NOTs and parentheses before an operand; the innermost group comes back. */
  private openGroups(groups: Group[]): Group {
    for (;;) {
      const group = groups.at(-1) as Group;
      const { position } = this.token;
      if (this.accept('NOT')) {
        group.negations++;
        this.deepen(1, position);
      } else if (this.accept('(')) {
        groups.push(new Group(position));
        this.deepen(2, position);
      } else {
        return group;
      }
    }
  }

  /** Reads the parentheses after an operand, and then one operator or the end; at the end the filter comes back. */
  private closeGroups(groups: Group[]): FilterNode | undefined {
    for (;;) {
      const group = groups.at(-1) as Group;
      if (this.accept('AND')) return undefined;
      if (this.accept('OR')) {
        group.nextAlternative();
        return undefined;
      }
      if (groups.length === 1) {
        if (this.token.kind === 'end') return group.close();
        throw this.is(')') ? syntax('")" has no "("', this.token.position) : this.unexpected('AND, OR or the end');
      }
      if (this.token.kind === 'end') throw syntax('"(" is never closed', group.position);
      if (!this.accept(')')) throw this.unexpected('AND, OR or ")"');
      groups.pop();
      this.depth -= 2;
      this.add(groups.at(-1) as Group, group.close());
    }
  }

  private add(group: Group, operand: FilterNode): void {
    this.depth -= group.negations;
    group.add(operand);
  }

  private leaf(): FilterNode {
    this.countTerm();
    if (this.accept('*')) return { all: true };
    const field = this.token;
    const exists = this.is('EXISTS');
    const name = this.word('a field name, NOT, "(" or "*"');
    if (exists && this.accept('(')) return this.exists();
    if (!this.accept(':')) throw this.unexpected(`":" after the field name ${excerpt(name)}`);
    if (this.accept('(')) return this.list(name, field.position);
    if (this.is('[') || this.is('{')) return this.range(name, field.position);
    if (this.is('<') || this.is('<=') || this.is('>') || this.is('>=')) return this.comparison(name, field.position);
    if (this.is('*')) throw this.unexpected('a value (EXISTS(field) asks for any value)');
    const literals = [this.token.position];
    return withOrigin({ eq: [name, this.word('a value')] }, { position: field.position, literals });
  }

  private exists(): FilterNode {
    const { position } = this.token;
    const node = withOrigin({ exists: this.word('a field name') }, { position });
    this.expect(')');
    return node;
  }

  private list(name: string, position: number): FilterNode {
    const values: string[] = [];
    const literals: number[] = [];
    do {
      if (values.length > 0) this.countTerm();
      literals.push(this.token.position);
      values.push(this.word('a value'));
    } while (this.accept('OR'));
    if (!this.accept(')')) throw this.unexpected('OR or ")" in a list of values');
    return withOrigin({ in: [name, values] }, { position, literals });
  }

  private range(name: string, position: number): FilterNode {
    const from = this.accept('[') ? 'gte' : 'gt';
    if (from === 'gt') this.expect('{');
    const literals: number[] = [];
    const low = this.bound(literals);
    this.expect('TO');
    const high = this.bound(literals);
    const to = this.accept(']') ? 'lte' : 'lt';
    if (to === 'lt' && !this.accept('}')) throw this.unexpected('"]" or "}"');
    const bounds = { ...(low === undefined ? {} : { [from]: low }), ...(high === undefined ? {} : { [to]: high }) };
    return withOrigin({ range: [name, bounds] }, { position, literals });
  }

  private comparison(name: string, position: number): FilterNode {
    const { text } = this.advance();
    const literals = [this.token.position];
    const number = this.number();
    let bounds: FilterBounds;
    if (text === '<') bounds = { lt: number };
    else if (text === '<=') bounds = { lte: number };
    else bounds = text === '>' ? { gt: number } : { gte: number };
    return withOrigin({ range: [name, bounds] }, { position, literals });
  }

  private bound(literals: number[]): FilterNumber | undefined {
    if (this.accept('*')) return undefined;
    literals.push(this.token.position);
    return this.number();
  }

  /** A number becomes one where float64 holds it as written; others, and dates, stay text, to be read exactly by their field. */
  private number(): FilterNumber {
    const { kind, text } = this.token;
    const isBound = isNumber(text) || parseDate(text) !== undefined;
    if ((kind !== 'word' && kind !== 'quoted') || !isBound) throw this.unexpected('a number or a date');
    this.advance();
    const number = Number(text);
    return String(number) === text && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text;
  }

  private word(expected: string): string {
    const { kind, text } = this.token;
    if (this.is('AND') || this.is('OR') || this.is('NOT')) {
      throw this.unexpected(`${expected} (as a name or value a keyword needs quotes)`);
    }
    if (kind !== 'word' && kind !== 'quoted') throw this.unexpected(expected);
    this.advance();
    return text;
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
    if (!this.accept(text)) throw this.unexpected(/\w/.test(text) ? text : `"${text}"`);
  }

  private advance(): Token {
    const passed = this.token;
    ({ token: this.token, end: this.end } = readToken(this.text, this.end));
    return passed;
  }

  private countTerm(): void {
    if (++this.terms > MAX_FILTER_TERMS) throw limit(`has more than ${MAX_FILTER_TERMS} terms`, this.token.position);
  }

  private deepen(levels: number, position: number): void {
    this.depth += levels;
    if (this.depth > MAX_FILTER_DEPTH) throw limit('is nested too deeply', position);
  }

  private unexpected(expected: string): SilverlodeError {
    const { kind, text, position } = this.token;
    const found = kind === 'end' ? 'the end' : excerpt(text);
    return syntax(`expected ${expected}, found ${found}`, position);
  }
}

function syntax(problem: string, position: number): SilverlodeError {
  return new SilverlodeError('FILTER_SYNTAX', `Filter, position ${position}: ${problem}`, { position });
}

function limit(problem: string, position: number): SilverlodeError {
  return new SilverlodeError('LIMIT_EXCEEDED', `Filter ${problem}`, { position });
}
