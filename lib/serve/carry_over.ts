// What a version that takes over must hold: every update that the one before has accepted.
import { SilverlodeError } from '../errors.js';
import type { FsyncPolicy } from '../retrieval/fresh/journal.js';
import { freshnessOf } from './item_updates.js';
import type { ServedModel, ServedVersion } from './served_model.js';

/** Where updates are kept for the next version. */
export interface JournalPlace {
  path: string;
  fsync?: FsyncPolicy;
}

/**
 * Hands the journal of the version before to the next model, which applies what its file does not hold.
 *
 * @returns Gives the journal back, for a next model that does not come to serve after all.
 * @throws SilverlodeError `INVALID_ARGUMENT` for a model that takes no updates; what opening a journal throws. The version before is
 * as it was then.
 */
export async function handOver(
  before: ServedVersion | undefined,
  next: ServedModel,
  { path, fsync }: JournalPlace,
): Promise<() => Promise<void>> {
  if (next.openJournal === undefined)
    throw new SilverlodeError('INVALID_ARGUMENT', 'the model takes no updates, so it can have no journal');
  const giveBack = async () => before?.model.openJournal?.(path, fsync);
  await before?.model.closeJournal?.();
  try {
    await next.openJournal(path, fsync);
  } catch (error) {
    await giveBack();
    throw error;
  }
  return async () => {
    await next.closeJournal?.();
    await giveBack();
  };
}

/**
 * Without a journal the next model must hold all updates by itself: since its file was saved from the version before, or by its
 * position in the log that both follow.
 *
 * @param identity Of the next model's file.
 * @throws SilverlodeError `INVALID_ARGUMENT` when updates would be lost.
 */
export function requireNothingLost(before: ServedVersion, next: ServedModel, identity: string | undefined): void {
  const { localUpdates = 0, position } = freshnessOf(before.model) ?? {};
  const own = freshnessOf(next)?.position;
  const { name, version } = before.info;
  if (localUpdates > 0 && !before.isSaved(identity)) {
    const reason = `version ${version} of '${name}' has taken ${localUpdates} updates that are in no journal`;
    throw lost(`${reason}; keep one, save the model, or discard them`, name, localUpdates);
  }
  if (!isUpTo(own, position)) {
    const [stands, served] = [own, position].map((each) => JSON.stringify(each ?? null));
    throw lost(`the new version of '${name}' stands at ${stands} of its log, the one that serves at ${served}`, name);
  }
}

/** Whether one position is not before another; only numbers tell, of other positions the same one. */
export function isUpTo(own: unknown, other: unknown): boolean {
  if (other === undefined) return true;
  const [a, b] = [own, other].map((each) => (each as { sequence?: unknown } | undefined)?.sequence ?? each);
  if (typeof a === 'number' && typeof b === 'number') return a >= b;
  return JSON.stringify(own) === JSON.stringify(other);
}

function lost(message: string, model: string, updates?: number): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, { model, updates });
}
