// The HDF5 files of ann-benchmarks: `train`, `test`, `neighbors`, and the attribute `distance`.
import { existsSync } from 'node:fs';
import { SilverlodeError } from 'silverlode';
import type { Vectors } from '../../lib/io/vectors.js';
import type { GivenVectors, Metric } from './given_set.js';

const METRICS: Readonly<Record<string, Metric>> = { euclidean: 'l2', angular: 'cosine', ip: 'ip' };

/** @throws SilverlodeError `IO_ERROR` where it is not there, `CORRUPT_FILE` where it is no such file. */
export async function readHdf5(path: string): Promise<GivenVectors> {
  if (!existsSync(path)) throw new SilverlodeError('IO_ERROR', `cannot read ${path}: no such file`, { path });
  const { default: h5wasm } = await import('h5wasm/node');
  await h5wasm.ready;
  const corrupt = (problem: string) => new SilverlodeError('CORRUPT_FILE', `${path} ${problem}`, { path });
  let file: InstanceType<typeof h5wasm.File>;
  try {
    file = new h5wasm.File(path, 'r');
  } catch (cause) {
    throw new SilverlodeError('CORRUPT_FILE', `${path} is no HDF5 file`, { path }, { cause });
  }
  try {
    const matrix = (name: string): { data: ArrayLike<number>; shape: [number, number] } => {
      const found = file.get(name);
      if (!(found instanceof h5wasm.Dataset) || found.shape?.length !== 2) throw corrupt(`has no matrix '${name}'`);
      return { data: found.value as unknown as ArrayLike<number>, shape: found.shape as [number, number] };
    };
    const vectors = (name: string): Vectors => {
      const { data, shape } = matrix(name);
      return { data: Float32Array.from(data), shape };
    };
    const distance = String(file.attrs.distance?.value ?? 'missing');
    const metric = METRICS[distance];
    if (metric === undefined)
      throw corrupt(`has the distance '${distance}'; known are ${Object.keys(METRICS).join(', ')}`);
    const { data, shape } = matrix('neighbors');
    return {
      items: vectors('train'),
      queries: vectors('test'),
      metric,
      nearest: { data: Int32Array.from(data), depth: shape[1] },
    };
  } finally {
    file.close();
  }
}
