import { SilverlodeError } from '../errors.js';
import { excerpt, isForeignLetter, readQuoted, skipSpace } from '../language/text.js';

/** `word` is a bare name, value, number or keyword; `quoted` carries its unescaped text; `end` closes the text. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'symbol' | 'end';
  readonly text: string;
  readonly position: number;
}

const WORD = /[A-Za-z0-9_\-./]/;
const SYMBOL = /[<>]=?|[():[\]{}*]/y;

/** Reads the token at or after `start`, and where it ends. */
export function readToken(text: string, start: number): { token: Token; end: number } {
  const position = skipSpace(text, start);
  if (position >= text.length) return { token: { kind: 'end', text: '', position: text.length }, end: text.length };
  if (text[position] === '"') {
    const { value, end } = readQuoted(text, position, 'FILTER_SYNTAX');
    return { token: { kind: 'quoted', text: value, position }, end };
  }
  SYMBOL.lastIndex = position;
  const symbol = SYMBOL.exec(text)?.[0];
  if (symbol !== undefined) return { token: { kind: 'symbol', text: symbol, position }, end: position + symbol.length };
  const end = wordEnd(text, position);
  const word = text.slice(position, end);
  // A leading minus belongs to numbers, so that an exclusion in another language's style is not taken for a name.
  if (end === position || (word[0] === '-' && !/^-\.?\d/.test(word))) throw illegal(text, position);
  return { token: { kind: 'word', text: word, position }, end };
}

function wordEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    if (WORD.test(text[at] ?? '')) {
      at++;
      continue;
    }
    const codePoint = text.codePointAt(at) ?? 0;
    if (!isForeignLetter(codePoint)) break;
    at += codePoint > 0xffff ? 2 : 1;
  }
  return at;
}

function illegal(text: string, position: number): SilverlodeError {
  const found = excerpt(String.fromCodePoint(text.codePointAt(position) ?? 0));
  return new SilverlodeError(
    'FILTER_SYNTAX',
    `Unexpected ${found} at ${position}: a name or value with it needs quotes`,
    {
      position,
    },
  );
}
