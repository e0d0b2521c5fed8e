// ann-sift128-mnist10k: real SIFT descriptors of MNIST digits (Yann LeCun and Corinna Cortes, CC BY-SA 3.0).

import { join } from 'node:path';
import { readNpyOf } from '../io/npy.js';
import { readVecs } from '../io/vecs.js';
import { readVectors, type Vectors } from '../io/vectors.js';
import { dataSetFolder } from './data_folder.js';

/** 10 000 vectors of 128 integral values, with queries and exact neighbours. */
export interface Sift {
  readonly base: Vectors;
  readonly queries: Vectors;
  /** Further vectors for training. */
  readonly learn: Vectors;
  /** `k` nearest base rows of every query by squared Euclidean distance, nearest first. */
  readonly nearest: Int32Array;
  /** `k` best base rows of every query by inner product, best first. */
  readonly bestInnerProduct: Int32Array;
  readonly k: number;
  /** The digit, 0 to 9, of every base row. */
  readonly labels: Uint8Array;
  readonly queryLabels: Uint8Array;
}

/**
 * Loads ann-sift128-mnist10k.
 *
 * @param folder The folder that holds the set; default the one that `SILVERLODE_DATA` names.
 * @throws SilverlodeError `IO_ERROR` where it is not there, and what the readers throw.
 */
export async function loadSift(folder?: string): Promise<Sift> {
  const path = (name: string): string => join(dataSetFolder('ann-sift128-mnist10k', folder), name);
  const nearest = await readVecs(path('groundtruth.ivecs'));
  return {
    base: await readVectors(path('base.fvecs')),
    queries: await readVectors(path('query.fvecs')),
    learn: await readVectors(path('learn.bvecs')),
    nearest: nearest.data as Int32Array,
    bestInnerProduct: (await readVecs(path('groundtruth_ip.ivecs'))).data as Int32Array,
    k: nearest.shape[1] ?? 0,
    labels: (await readNpyOf(path('base_labels.npy'), 'uint8')).data,
    queryLabels: (await readNpyOf(path('query_labels.npy'), 'uint8')).data,
  };
}
