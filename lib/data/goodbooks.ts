// goodbooks-10k (Zygmunt Zając, CC BY-SA 4.0): 10 000 books, 53 424 readers, trained factors, exact answers.

import { join } from 'node:path';
import { readJsonl } from '../io/jsonl.js';
import { readNpyOf } from '../io/npy.js';
import { readVectors, type Vectors } from '../io/vectors.js';
import { dataSetFolder } from './data_folder.js';
import { type BookFilter, readFilters } from './goodbooks_filters.js';
import { type BookModels, readModels } from './goodbooks_models.js';

/** Attributes of the books, one array per field, by item. */
export interface BookAttributes {
  readonly title: string[];
  readonly authors: string[][];
  readonly year: (number | null)[];
  readonly language: (string | null)[];
  readonly average_rating: number[];
  readonly ratings_count: number[];
  /** Genres, strongest first. */
  readonly tags: string[][];
}

/** Lists of items per user, one after another: user `u` owns `items[offsets[u]]` to `items[offsets[u + 1] - 1]`. */
export interface Interactions {
  readonly offsets: Int32Array;
  /** Ascending within a user. */
  readonly items: Int32Array;
  /** 1 to 5. */
  readonly ratings: Uint8Array;
}

/** The best `k` items of several users, row after row; -1 (score NaN) where a list is shorter. */
export interface TopLists {
  readonly k: number;
  readonly ids: Int32Array;
  readonly scores: Float32Array;
}

/** The whole data set. Users and items are numbered from 0; these numbers are also rows of the factors. */
export interface Goodbooks {
  readonly itemCount: number;
  readonly userCount: number;
  readonly attributes: BookAttributes;
  /** [items, 64]; the score of a pair is the inner product. */
  readonly itemFactors: Vectors;
  /** [users, 64]. */
  readonly userFactors: Vectors;
  /** The ratings that the factors were trained on. */
  readonly train: Interactions;
  /** Per user of `users`, `perUser` liked books that training did not see. */
  readonly heldOut: { readonly users: Int32Array; readonly items: Int32Array; readonly perUser: number };
  /** Users for whom exact answers are stored, row by row of `exact`. */
  readonly queryUsers: Int32Array;
  /** Exact top 100 by inner product; `unseen` leaves out the user's training books. */
  readonly exact: { readonly all: TopLists; readonly unseen: TopLists };
  /** Filters with their eligible books and, for every user of `filterQueryUsers`, the exact answers. */
  readonly filters: readonly BookFilter[];
  readonly filterQueryUsers: Int32Array;
  readonly models: BookModels;
}

/**
 * Loads goodbooks-10k.
 *
 * @param folder The folder that holds `goodbooks10k`; default the one that `SILVERLODE_DATA` names.
 * @throws SilverlodeError `IO_ERROR` where it is not there, and what the readers throw.
 */
export async function loadGoodbooks(folder?: string): Promise<Goodbooks> {
  const path = (name: string): string => join(dataSetFolder('goodbooks10k', folder), name);
  const [itemFactors, userFactors, { data: queryUsers }, heldOutUsers, heldOutItems, { data: filterQueryUsers }] =
    await Promise.all([
      readVectors(path('item_factors.npy')),
      readVectors(path('user_factors.npy')),
      readNpyOf(path('query_users.npy'), 'int32'),
      readNpyOf(path('heldout_users.npy'), 'int32'),
      readNpyOf(path('heldout_items.npy'), 'int32'),
      readNpyOf(path('filter_query_users.npy'), 'int32'),
    ]);
  const [itemCount] = itemFactors.shape;
  const [userCount] = userFactors.shape;
  return {
    itemCount,
    userCount,
    attributes: await readAttributes(path('items.jsonl')),
    itemFactors,
    userFactors,
    train: await readTrain(path, userCount),
    heldOut: { users: heldOutUsers.data, items: heldOutItems.data, perUser: heldOutItems.shape[1] ?? 0 },
    queryUsers,
    exact: {
      all: await readTopLists(path('exact_top100_all')),
      unseen: await readTopLists(path('exact_top100_unseen')),
    },
    filters: await readFilters(path),
    filterQueryUsers,
    models: await readModels(path('models')),
  };
}

/** The items of one user. */
export function itemsOf(interactions: Interactions, user: number): Int32Array {
  return interactions.items.subarray(interactions.offsets[user], interactions.offsets[user + 1]);
}

async function readAttributes(path: string): Promise<BookAttributes> {
  const { title, authors, year, language, average_rating, ratings_count, tags } = await readJsonl(path);
  return { title, authors, year, language, average_rating, ratings_count, tags } as unknown as BookAttributes;
}

async function readTopLists(stem: string): Promise<TopLists> {
  const ids = await readNpyOf(`${stem}_ids.npy`, 'int32');
  const scores = await readNpyOf(`${stem}_scores.npy`, 'float32');
  return { k: ids.shape.at(-1) ?? 0, ids: ids.data, scores: scores.data };
}

/** The training rows, which the files hold as one row per rating, sorted by user and item. */
async function readTrain(path: (name: string) => string, userCount: number): Promise<Interactions> {
  const { data: users } = await readNpyOf(path('inter_user.npy'), 'int32');
  const { data: items } = await readNpyOf(path('inter_item.npy'), 'uint16');
  const { data: ratings } = await readNpyOf(path('inter_rating.npy'), 'uint8');
  const { data: isTrain } = await readNpyOf(path('inter_is_train.npy'), 'uint8');
  const counts = new Int32Array(userCount);
  for (const [row, user] of users.entries()) counts[user] = (counts[user] as number) + (isTrain[row] as number);
  const offsets = new Int32Array(userCount + 1);
  for (const [user, count] of counts.entries()) offsets[user + 1] = (offsets[user] as number) + count;
  const keep = (_: number, row: number): boolean => isTrain[row] === 1;
  return { offsets, items: Int32Array.from(items.filter(keep)), ratings: ratings.filter(keep) };
}
