// Following a log of updates.
import { requireKnown, SilverlodeError } from '../../errors.js';
import type { Update } from './updates.js';

/** One entry of a log. */
export interface LogEntry {
  /** Where the log goes on after this entry; any JSON value. It is saved with the model. */
  readonly position: unknown;
  readonly update: Update;
}

/**
 * Updates in their order: an async iterable, or a function that gives one of the entries after a position (undefined: from the
 * start). A plain iterable must begin after the model's position itself.
 */
export type UpdateLog = AsyncIterable<LogEntry> | ((after: unknown) => AsyncIterable<LogEntry>);

export interface FollowOptions {
  signal?: AbortSignal;
  /** Hears of updates that were refused. */
  onRefused?: (error: SilverlodeError, entry: LogEntry) => void;
}

/** One following: once an entry could not be applied, those behind it are not either. */
export interface LogRun {
  failed: boolean;
}

/** Applies an entry behind all that were given before. */
type Apply = (entry: LogEntry, run: LogRun) => Promise<unknown>;

/** Entries under way at once: they share versions and flushes. */
const MAX_OPEN = 256;
/** Refusals that lie in the update itself, so that a replay meets them again. */
const REFUSALS: readonly string[] = ['INVALID_ARGUMENT', 'SHAPE_MISMATCH', 'UNSUPPORTED_DTYPE'];

export function isRefusal(error: unknown): error is SilverlodeError {
  return error instanceof SilverlodeError && REFUSALS.includes(error.code);
}

/**
 * Ends when the log does; what was begun is finished first.
 *
 * @throws SilverlodeError `ABORTED`, a SilverlodeError that the signal fired with, or what kept an update from being applied, such as `LIMIT_EXCEEDED` and `IO_ERROR`; no
 * later entry is applied then.
 */
export async function follow(log: UpdateLog, after: unknown, options: FollowOptions, apply: Apply): Promise<void> {
  requireKnown('follow options', options, ['signal', 'onRefused']);
  const { signal, onRefused } = options;
  const stop = whenAborted(signal);
  const open = new Set<Promise<void>>();
  const run: LogRun = { failed: false };
  let failure: unknown;
  const take = (entry: LogEntry): Promise<void> =>
    apply(entry, run).then(
      () => undefined,
      (error: unknown) => {
        if (isRefusal(error)) onRefused?.(error, entry);
        else failure ??= error;
      },
    );
  const entries = (typeof log === 'function' ? log(after) : log)[Symbol.asyncIterator]();
  try {
    while (!run.failed) {
      const next = await Promise.race([entries.next(), stop.promise]);
      if (next.done) break;
      const taken = take(next.value).finally(() => open.delete(taken));
      open.add(taken);
      if (open.size >= MAX_OPEN) await Promise.race(open);
    }
  } finally {
    stop.end();
    // A log that waits for its next entry may never answer, so it is not waited for.
    entries.return?.()?.catch(() => undefined);
    await Promise.all(open);
  }
  if (failure) throw failure;
}

/** A promise that rejects when the signal fires, until `end` is called. */
function whenAborted(signal: AbortSignal | undefined): { promise: Promise<never>; end: () => void } {
  let onAbort = () => {};
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => {
      const cause: unknown = signal?.reason;
      reject(
        cause instanceof SilverlodeError
          ? cause
          : new SilverlodeError('ABORTED', 'following was aborted', {}, { cause }),
      );
    };
  });
  promise.catch(() => undefined);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return { promise, end: () => signal?.removeEventListener('abort', onAbort) };
}
