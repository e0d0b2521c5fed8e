import { SilverlodeError } from '../../errors.js';

export function invalid(message: string, details: Record<string, unknown> = {}): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, details);
}

/** A whole number from `least` to `limit`. @throws SilverlodeError `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`. */
export function count(name: string, value: number, limit = 2 ** 31 - 1, least: 0 | 1 = 1): number {
  if (!Number.isInteger(value) || value < least) {
    const wanted = least === 1 ? 'a positive integer' : 'an integer from 0 on';
    throw invalid(`${name} must be ${wanted}, got ${String(value)}`, { field: name });
  }
  if (value > limit)
    throw new SilverlodeError('LIMIT_EXCEEDED', `${name} is ${value}, the model was loaded for at most ${limit}`, {
      field: name,
    });
  return value;
}
