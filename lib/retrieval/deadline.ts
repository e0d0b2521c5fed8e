import { SilverlodeError } from '../errors.js';

/** Longer ones would fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/**
 * Waits for a run, but no longer than its latest deadline. Returns a `DEADLINE` error for every request whose own deadline
 * has passed by then.
 *
 * @param limits Milliseconds from the call per request, Infinity for none.
 * @param started `performance.now()` of the call.
 */
export async function withDeadline(
  limits: readonly number[],
  started: number,
  work: Promise<unknown>,
): Promise<(SilverlodeError | undefined)[]> {
  const latest = Math.max(...limits);
  if (latest === Number.POSITIVE_INFINITY) {
    await work;
  } else {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.min(MAX_TIMEOUT, Math.max(0, latest - (performance.now() - started))));
    });
    await Promise.race([work, timeout]).finally(() => clearTimeout(timer));
  }
  const elapsed = performance.now() - started;
  return limits.map((limit) => lateError(limit, elapsed));
}

/** The error of a request whose deadline has passed. */
export function lateError(limit: number, elapsed: number): SilverlodeError | undefined {
  if (elapsed <= limit) return undefined;
  return new SilverlodeError('DEADLINE', `the deadline of ${limit} ms has passed`, { deadlineMs: limit });
}

/**
 * Waits for work that all of some requests share, from now on.
 *
 * @throws SilverlodeError `DEADLINE` when the deadline of any has passed by its end.
 */
export async function inTime<T>(requests: readonly { deadlineMs: number }[], work: Promise<T>): Promise<T> {
  const limits = requests.map(({ deadlineMs }) => deadlineMs);
  work.catch(() => undefined); // it may fail when nobody waits for it any more
  const late = await withDeadline(limits, performance.now(), work);
  const error = late.find((each) => each !== undefined);
  if (error) throw error;
  return work;
}
