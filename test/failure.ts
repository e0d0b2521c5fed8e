import { SilverlodeError } from '../lib/errors.js';

/** The SilverlodeError that `action` throws; anything else, or nothing, fails the test. */
export function failure(action: () => unknown): SilverlodeError {
  try {
    action();
  } catch (error) {
    if (error instanceof SilverlodeError) return error;
    throw error;
  }
  throw new Error('expected a SilverlodeError, but nothing was thrown');
}
