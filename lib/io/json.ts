// JSON without rounding: JSON.parse reads every number as a float64, which merges integers beyond 2^53.

import { randomUUID } from 'node:crypto';

/** An integer that may lie beyond 2^53; one with a fraction or an exponent is no integer but a float64. */
const WIDE = /(?<![\w.+-])-?[1-9]\d{15,}(?![\d.eE])/g;

/** Begins strings that stand for integers; no text can hold it by itself, since it is drawn anew by every process. */
const MARK = randomUUID();
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

/** As many as the largest float64 has; reading more would take time that grows faster than the text. */
const MAX_DIGITS = 309;

/**
 * Parses JSON; integers beyond 2^53 become bigints, all else is what `JSON.parse` gives.
 *
 * @param text A JSON document.
 * @throws SyntaxError as `JSON.parse`, and for an integer of more than 309 digits.
 * @example
 * ```ts
 * parseJson('[1, 9007199254740993, 1e300]');   // [1, 9007199254740993n, 1e300]
 * ```
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!holdsWideIntegers(text)) return value;
  return JSON.parse(markIntegers(text), (_, each: unknown) =>
    typeof each === 'string' && each.startsWith(MARK) ? toBigInt(each.slice(MARK.length)) : each,
  );
}

/** Whether `parseJson` may find more in a document than `JSON.parse`: false is certain, true may be digits in a string. */
export function holdsWideIntegers(text: string): boolean {
  return text.search(WIDE) >= 0;
}

function toBigInt(digits: string): bigint {
  if (digits.length <= MAX_DIGITS) return BigInt(digits);
  throw new SyntaxError(`an integer of ${digits.length} digits is more than any number holds`);
}

/** JSON text of a value; bigints become integers, which `parseJson` reads exactly. */
export function stringifyJson(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? MARK + each : each));
  return text.replace(MARKED, '$1');
}

/** Valid JSON with every wide integer outside of strings replaced by a string. */
function markIntegers(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', at)) {
    const end = endOfString(text, quote);
    parts.push(mark(text.slice(at, quote)), text.slice(quote, end));
    at = end;
  }
  return parts.join('') + mark(text.slice(at));
}

function mark(part: string): string {
  return part.replace(WIDE, (digits) => (Number.isSafeInteger(Number(digits)) ? digits : `"${MARK}${digits}"`));
}

/** Where the string that begins at `quote` is over. */
function endOfString(text: string, quote: number): number {
  let end = text.indexOf('"', quote + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text[before - 1] === '\\') before--;
  return (at - before) % 2 === 1;
}
