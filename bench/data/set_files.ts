// The measured set as engines read it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readVecs } from '../../lib/io/vecs.js';
import type { SetFiles } from './standard_set.js';

/** Rows and queries in memory. */
export interface LoadedSet {
  files: SetFiles;
  items: number;
  dims: number;
  /** float32 [items, dims]; empty where only queries are needed. */
  rows: Float32Array;
  /** float32 [queries, dims], each row also on its own. */
  queries: Float32Array;
  query(index: number): Float32Array;
  /** One byte per item: 1 where it is eligible. */
  mask(filter: string): Promise<Uint8Array>;
}

const matrix = async (files: SetFiles, name: string): Promise<Float32Array> =>
  (await readVecs(join(files.folder, name))).data as Float32Array;

/** Reads the queries, and the rows where they are asked for. */
export async function readSet(files: SetFiles, { rows }: { rows: boolean }): Promise<LoadedSet> {
  const { items, dims, folder } = files;
  const queries = await matrix(files, 'queries.fbin');
  return {
    files,
    items,
    dims,
    rows: rows ? await matrix(files, 'items.fbin') : new Float32Array(0),
    queries,
    query: (index) => {
      const first = (index % files.queries) * dims;
      return queries.subarray(first, first + dims);
    },
    mask: (filter) => readFile(join(folder, `${filter}.u8`)),
  };
}
