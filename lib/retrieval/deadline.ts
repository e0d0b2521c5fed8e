import { SilverlodeError } from '../errors.js';
import type { RetrieveRequest } from './types.js';

/**
 * Waits for a run, but no longer than its latest deadline. Returns a `DEADLINE` error for every request whose own deadline
 * has passed by then.
 *
 * @param run Positions of the run's members in `requests`.
 * @param started `performance.now()` of the call.
 */
export async function withDeadline(
  requests: readonly RetrieveRequest[],
  run: readonly number[],
  started: number,
  work: Promise<unknown>,
): Promise<(SilverlodeError | undefined)[]> {
  const limits = run.map((i) => requests[i]?.deadlineMs ?? Number.POSITIVE_INFINITY);
  const latest = Math.max(...limits);
  if (latest === Number.POSITIVE_INFINITY) {
    await work;
  } else {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, latest - (performance.now() - started)));
    });
    await Promise.race([work, timeout]).finally(() => clearTimeout(timer));
  }
  const elapsed = performance.now() - started;
  return limits.map((limit) =>
    elapsed > limit
      ? new SilverlodeError('DEADLINE', `the deadline of ${limit} ms has passed`, { deadlineMs: limit })
      : undefined,
  );
}
