// A log that a model follows while it serves.
import { SilverlodeError } from '../errors.js';
import type { UpdateLog } from '../retrieval/fresh/follow.js';
import { freshnessOf } from './item_updates.js';
import type { ServedModel } from './served_model.js';

/** What a model is to follow. */
export interface ServedLog {
  log: UpdateLog;
  /** Whether a position is far enough for the model to serve, such as `natsEnd` tells; default: any. */
  isReached?: (position: unknown) => boolean;
}

const POLL_MS = 20;

/**
 * Starts to follow a log, and waits until the model has come as far as it must.
 *
 * @param onEnd Hears of the end of following, after the model serves: the log ended, or an error.
 * @throws SilverlodeError what following threw before the model was far enough.
 */
export async function startFollowing(
  model: ServedModel,
  { log, isReached = () => true }: ServedLog,
  onEnd: (error: unknown) => void,
): Promise<void> {
  if (model.follow === undefined) throw new SilverlodeError('INVALID_ARGUMENT', 'the model takes no updates of a log');
  let isOver = false;
  let failure: unknown;
  let whenOver = (error: unknown): void => {
    failure = error;
  };
  model
    .follow(log)
    .catch((error: unknown) => error)
    .then((error) => {
      isOver = true;
      whenOver(error);
    });
  while (!isReached(freshnessOf(model)?.position)) {
    if (isOver) throw failure ?? new SilverlodeError('IO_ERROR', 'the log has ended before the model was up to date');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  whenOver = onEnd;
  if (isOver) onEnd(failure);
}
