// Where real data sets are: the folder that SILVERLODE_DATA names, and nowhere else.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SilverlodeError } from '../errors.js';

/** The data sets that can lie in the folder. */
export type DataSet = 'goodbooks10k' | 'ann-sift128-mnist10k';

/** A file without which the set is not there. */
const LANDMARKS: Readonly<Record<DataSet, string>> = {
  goodbooks10k: 'items.jsonl',
  'ann-sift128-mnist10k': 'base.fvecs',
};

/**
 * The folder named by the environment variable `SILVERLODE_DATA`.
 *
 * @param set Which data set must be in it.
 * @returns The folder, or `undefined` where the variable is not set or the folder does not hold that set.
 */
export function dataFolder(set: DataSet = 'goodbooks10k'): string | undefined {
  const folder = process.env.SILVERLODE_DATA;
  return folder && existsSync(join(folder, set, LANDMARKS[set])) ? folder : undefined;
}

/**
 * The folder of one data set.
 *
 * @param set Which one.
 * @param folder The folder that holds the sets; default {@link dataFolder}.
 * @throws SilverlodeError `IO_ERROR` where there is none.
 */
export function dataSetFolder(set: DataSet, folder = dataFolder(set)): string {
  if (folder) return join(folder, set);
  throw new SilverlodeError('IO_ERROR', `SILVERLODE_DATA does not name a folder that holds ${set}`, { set });
}
