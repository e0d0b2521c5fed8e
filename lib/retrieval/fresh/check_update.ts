// Updates checked against the model that they are for.
import { SilverlodeError } from '../../errors.js';
import type { MainSegment } from '../main_segment.js';
import { type CheckedUpdate, checkUpdate, type Update } from './updates.js';

/** @throws SilverlodeError as `checkUpdate`; `UNSUPPORTED_VERSION` for a model that takes no updates. */
export function checkUpdateOf({ manifest, freshSizes, rotation }: MainSegment, update: Update): CheckedUpdate {
  if (manifest.freshPrograms === undefined)
    throw new SilverlodeError(
      'UNSUPPORTED_VERSION',
      'the model is from a version that knew no updates; publish it again',
    );
  const { features, biased, embeddings } = freshSizes;
  const takesPriors = biased && !rotation?.aligned; // whose biases are products with the mean
  return checkUpdate(update, { manifest, features, biased: takesPriors, tableDtype: embeddings?.dtype });
}
