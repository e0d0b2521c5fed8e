// Option values as commander's parsers: text in, value out, `InvalidArgumentError` (exit code 2) for anything else.

import { InvalidArgumentError } from 'commander';

function whole(text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(`It must be an integer of at least ${least}.`);
  return value;
}

export function positive(text: string): number {
  return whole(text, 1);
}

export function nonNegative(text: string): number {
  return whole(text, 0);
}

/** `1,8,64`. */
export function counts(text: string): number[] {
  return text.split(',').map((entry) => positive(entry.trim()));
}

/** A number above 0. */
export function positiveNumber(text: string): number {
  const value = number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be above 0.');
}

/** A number in (0, 1]. */
export function share(text: string): number {
  const value = number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must lie above 0 and be at most 1.');
}

export function clusterChoice(text: string): number | 'auto' | 'flat' {
  return text === 'auto' || text === 'flat' ? text : positive(text);
}

/** Text between cells; `\t` is how a shell writes a tab. */
export function delimiter(text: string): string {
  if (text === '' || /["\r\n]/.test(text))
    throw new InvalidArgumentError('It must be a text without quotes and line breaks.');
  return text === '\\t' ? '\t' : text;
}

/** `a,b,c`, without blanks around names. */
export function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  if (list.includes('')) throw new InvalidArgumentError('A name between commas is missing.');
  return list;
}

/** `a,b,c`; an option given again adds to the list. */
export function lists(text: string, before: readonly string[] = []): string[] {
  return [...before, ...names(text)];
}

/** Values of an option that is given several times. */
export function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `0.1,0.2,…`; an option given again adds a vector. */
export function vectors(text: string, before: readonly Float32Array[] = []): Float32Array[] {
  return [...before, Float32Array.from(text.split(','), number)];
}

/** `name=number,…`; an option given again adds to them. */
export function weights(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const entries = text.split(',').map((entry): [string, number] => {
    const equals = entry.indexOf('=');
    if (equals < 1) throw new InvalidArgumentError('It must be name=number.');
    return [entry.slice(0, equals).trim(), number(entry.slice(equals + 1))];
  });
  return { ...before, ...Object.fromEntries(entries) };
}

/** A JSON object of tower inputs. */
export function userJson(text: string): Record<string, number | number[]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, number[]>;
  throw new InvalidArgumentError('It must be a JSON object.');
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError(`'${text}' is not a number.`);
  return value;
}

/** `brand:2`. */
export function group(text: string): { field: string; limit: number } {
  const [, field, limit] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (field === undefined || limit === undefined) throw new InvalidArgumentError('It must be like brand:2.');
  return { field, limit: positive(limit) };
}
