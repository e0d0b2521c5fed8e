// The HDF5 files of ann-benchmarks: `train`, `test`, `neighbors`, and the attribute `distance`.
import { existsSync } from 'node:fs';
import type { Dataset, File } from 'h5wasm/node';
import { SilverlodeError } from 'silverlode';
import type { Vectors } from '../../lib/io/vectors.js';
import type { GivenVectors, Metric } from './given_set.js';

const METRICS: Readonly<Record<string, Metric>> = { euclidean: 'l2', angular: 'cosine', ip: 'ip' };

/** Rows are read in groups of about this many values, since the library's memory ends at 2 GiB. */
const GROUP_VALUES = 1 << 24;

type Corrupt = (problem: string, cause?: unknown) => SilverlodeError;

/** @throws SilverlodeError `IO_ERROR` where it is not there, `CORRUPT_FILE` where it is no such file. */
export async function readHdf5(path: string): Promise<GivenVectors> {
  if (!existsSync(path)) throw new SilverlodeError('IO_ERROR', `cannot read ${path}: no such file`, { path });
  const { default: h5wasm } = await import('h5wasm/node');
  await h5wasm.ready;
  const corrupt: Corrupt = (problem, cause) =>
    new SilverlodeError('CORRUPT_FILE', `${path} ${problem}`, { path }, { cause });
  const file = new h5wasm.File(path, 'r');
  if (file.file_id < 0n) throw corrupt('is no whole HDF5 file');
  try {
    return read(file, corrupt);
  } catch (error) {
    if (error instanceof SilverlodeError) throw error;
    throw corrupt(`cannot be read: ${error instanceof Error ? error.message : error}`, error);
  } finally {
    file.close();
  }
}

function read(file: File, corrupt: Corrupt): GivenVectors {
  const distance = String(file.attrs.distance?.value ?? 'missing');
  const metric = METRICS[distance];
  if (metric === undefined)
    throw corrupt(`has the distance '${distance}'; known are ${Object.keys(METRICS).join(', ')}`);
  const nearest = matrix(file, 'neighbors', Int32Array, corrupt);
  const [items, queries] = ['train', 'test'].map((name) => matrix(file, name, Float32Array, corrupt));
  return {
    items: items as Vectors,
    queries: queries as Vectors,
    metric,
    nearest: { data: nearest.data, depth: nearest.shape[1] },
  };
}

/** A data set as an array of the given type, each value rounded once. */
function matrix<T extends Float32Array | Int32Array>(
  file: File,
  name: string,
  Values: new (length: number) => T,
  corrupt: Corrupt,
): { data: T; shape: readonly [number, number] } {
  const found = file.get(name) as Dataset | null;
  const [rows = 0, columns = 0, ...more] = found?.shape ?? [];
  if (found === null || rows === 0 || columns === 0 || more.length > 0) throw corrupt(`has no matrix '${name}'`);
  const data = new Values(rows * columns);
  const step = Math.max(1, Math.floor(GROUP_VALUES / columns));
  for (let first = 0; first < rows; first += step) {
    const group = found.slice([
      [first, Math.min(rows, first + step)],
      [0, columns],
    ]);
    if (!ArrayBuffer.isView(group)) throw corrupt(`has no numbers in '${name}'`);
    data.set(group as unknown as ArrayLike<number>, first * columns);
  }
  return { data, shape: [rows, columns] };
}
