import { SilverlodeError } from '../errors.js';
import { excerpt, isForeignLetter, readQuoted, skipSpace } from '../language/text.js';

/** `name` is a bare name or keyword; `quoted` carries its unescaped text; `end` closes the text. */
export interface Token {
  readonly kind: 'number' | 'name' | 'quoted' | 'symbol' | 'end';
  readonly text: string;
  readonly position: number;
}

const NUMBER = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const SYMBOL = /[<>=!]=|[-+*/(),<>]/y;

/** Reads the token at or after `start`, and where it ends. */
export function readToken(text: string, start: number): { token: Token; end: number } {
  const position = skipSpace(text, start);
  if (position >= text.length) return { token: { kind: 'end', text: '', position: text.length }, end: text.length };
  if (text[position] === '"') {
    const { value, end } = readQuoted(text, position, 'FORMULA_SYNTAX');
    return { token: { kind: 'quoted', text: value, position }, end };
  }
  const symbol = match(SYMBOL, text, position);
  if (symbol !== undefined) return { token: { kind: 'symbol', text: symbol, position }, end: position + symbol.length };
  const number = match(NUMBER, text, position);
  if (number !== undefined) return { token: { kind: 'number', text: number, position }, end: position + number.length };
  const end = nameEnd(text, position);
  if (end === position) throw illegal(text, position);
  return { token: { kind: 'name', text: text.slice(position, end), position }, end };
}

function match(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

/** A name starts with a letter or `_`, and goes on with letters, digits, `_` and `.`. */
function nameEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const codePoint = text.codePointAt(at) ?? 0;
    const allowed = at === start ? /[A-Za-z_]/ : /[A-Za-z0-9_.]/;
    if (!allowed.test(text[at] ?? '') && !isForeignLetter(codePoint)) break;
    at += codePoint > 0xffff ? 2 : 1;
  }
  return at;
}

function illegal(text: string, position: number): SilverlodeError {
  const found = String.fromCodePoint(text.codePointAt(position) ?? 0);
  const advice = found === '=' ? 'equality is written ==' : 'a name with it needs quotes';
  const message = `Formula, position ${position}: unexpected ${excerpt(found)} (${advice})`;
  return new SilverlodeError('FORMULA_SYNTAX', message, { position });
}
