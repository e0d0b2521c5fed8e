import { type ErrorCode, SilverlodeError } from '../errors.js';

const LETTER = /[\p{L}\p{M}]/u;
const SPACE = /\s*/y;

/** Whether a character that is not ASCII may stand in a bare word: letters and the marks that belong to them. */
export function isForeignLetter(codePoint: number): boolean {
  return codePoint > 127 && LETTER.test(String.fromCodePoint(codePoint));
}

/** The first offset at or after `start` that holds no white space. */
export function skipSpace(text: string, start: number): number {
  SPACE.lastIndex = start;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

/**
 * Reads a double-quoted string, in which only `\"` and `\\` are escapes.
 *
 * @param start Offset of the opening quote.
 * @throws {@link SilverlodeError} with `code` and the position of the fault.
 */
export function readQuoted(text: string, start: number, code: ErrorCode): { value: string; end: number } {
  let value = '';
  for (let from = start + 1; ; ) {
    let at = from;
    while (at < text.length && text[at] !== '"' && text[at] !== '\\') at++;
    value += text.slice(from, at);
    if (at === text.length) throw new SilverlodeError(code, 'Unterminated string: no closing "', { position: start });
    if (text[at] === '"') return { value, end: at + 1 };
    const escaped = text[at + 1];
    if (escaped !== '"' && escaped !== '\\') {
      throw new SilverlodeError(code, 'Unknown escape: a string knows only \\" and \\\\', { position: at });
    }
    value += escaped;
    from = at + 2;
  }
}

/** `text` in quotes for a message, cut to a readable length. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** A hint for a message about an unknown name: the candidate most like it, else the names there are. */
export function hint(name: string, candidates: readonly string[]): string {
  const nearest = nearestOf(name, candidates);
  if (nearest !== undefined) return `did you mean ${excerpt(nearest)}?`;
  if (candidates.length === 0) return 'there are none';
  const more = candidates.length > 8 ? `, … (${candidates.length} in all)` : '';
  return `known are ${candidates.slice(0, 8).map(excerpt).join(', ')}${more}`;
}

function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(name.length / 2));
  // Both bounds keep an error cheap whatever name a request brings.
  for (const candidate of name.length <= 64 ? candidates.slice(0, 1000) : []) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replace = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
