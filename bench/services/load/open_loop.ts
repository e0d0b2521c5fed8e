// Requests at planned times, whether earlier ones are answered or not, so that a slow answer delays no later request and hides no
// waiting ("coordinated omission"): latency counts from the planned time. And the closed loop, for throughput.

/** What was answered in one trial. */
export interface Trial {
  /** Milliseconds of each answer, ascending. */
  times: Float64Array;
  failed: number;
  /** From the first planned time to the last answer. */
  seconds: number;
}

/** Sends request number i; true when it was answered well. */
export type Send = (i: number) => Promise<boolean>;

/** Waiting requests per connection, from which on a trial is given up: the side is far behind. */
const MAX_BACKLOG = 16;

/**
 * @param rate Requests per second, evenly spaced.
 * @param connections Each sends one request at a time; what finds none free waits, and its time runs.
 */
export async function openLoop(connections: readonly Send[], rate: number, seconds: number): Promise<Trial> {
  const count = Math.max(1, Math.round(rate * seconds));
  const times: number[] = [];
  const free = [...connections];
  const begin = performance.now();
  let next = 0;
  let due = 0;
  let busy = 0;
  let failed = 0;
  await new Promise<void>((resolve) => {
    const done = () => {
      if (busy === 0 && next >= count) resolve();
    };
    const dispatch = () => {
      while (next < due) {
        const send = free.pop();
        if (send === undefined) break;
        const planned = begin + (1000 * next) / rate;
        busy += 1;
        void send(next++)
          .catch(() => false)
          .then((isGood) => {
            if (isGood) times.push(performance.now() - planned);
            else failed += 1;
            busy -= 1;
            free.push(send);
            dispatch();
            done();
          });
      }
    };
    const tick = () => {
      due = Math.min(count, Math.floor(((performance.now() - begin) * rate) / 1000) + 1);
      if (due - next > MAX_BACKLOG * connections.length) {
        failed += count - next;
        next = count;
        due = count;
      }
      dispatch();
      done();
      if (due < count) setTimeout(tick, 1);
    };
    tick();
  });
  return { times: Float64Array.from(times).sort(), failed, seconds: (performance.now() - begin) / 1000 };
}

/** Every connection sends its next request when it has the answer to the one before. */
export async function closedLoop(connections: readonly Send[], seconds: number): Promise<Trial> {
  const times: number[] = [];
  const begin = performance.now();
  const end = begin + 1000 * seconds;
  let next = 0;
  let failed = 0;
  await Promise.all(
    connections.map(async (send) => {
      for (let sent = performance.now(); sent < end; sent = performance.now()) {
        if (await send(next++).catch(() => false)) times.push(performance.now() - sent);
        else failed += 1;
      }
    }),
  );
  return { times: Float64Array.from(times).sort(), failed, seconds: (performance.now() - begin) / 1000 };
}

/** The value that a share q of ascending values does not exceed; NaN of none. */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  const place = Math.max(0, Math.ceil(q * ascending.length) - 1);
  return ascending[place] ?? Number.NaN;
}
