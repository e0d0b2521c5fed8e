// Weights from any safetensors file, PyTorch's included. Such files are only 8-byte aligned, so tensors are copied.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SilverlodeError } from '../errors.js';
import { isSystemError } from '../io/input_file.js';
import { type ArrayOf, DTYPES, type DType } from '../tensor/dtype.js';
import { PREFIX_BYTES, parseSafetensorsHeader, safetensorsHeaderBytes, type TensorEntry } from './safetensors.js';

/** One tensor of a state dict: row-major, in memory of its own. Half types are their raw 16 bits. */
export type StateDictEntry = {
  [D in DType]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: ArrayOf<D> };
}[DType];

/** Tensors by parameter name, e.g. `layers.0.weight`. */
/** Tensors of a file by name, on the host: what `loadStateDict` takes. */
export type TensorMap = Map<string, StateDictEntry>;

/**
 * Reads every tensor of a safetensors file, such as a `state_dict` that PyTorch saved. Synchronous, as weights are read
 * before anything is served.
 *
 * @param path The file.
 * @returns The tensors by name, copied into memory of their own.
 * @throws SilverlodeError `CORRUPT_FILE` with `tensor` or `field`; `UNSUPPORTED_DTYPE` with `tensor` for float64, bool,
 * 16-bit and unsigned wide integers; `UNSUPPORTED_VERSION`, `IO_ERROR`.
 *
 * @example
 * ```ts
 * const weights = readSafetensors('overarch.safetensors');
 * weights.get('layers.0.weight')?.shape;   // [128, 203]
 * ```
 */
export function readSafetensors(path: string): TensorMap {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return readState(file, path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new SilverlodeError('IO_ERROR', `cannot read ${path}: ${error.message}`, { path }, { cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readState(file: number, path: string): TensorMap {
  const { tensors } = readHeader(file, path);
  const dtypes = tensors.map((tensor) => dtypeOf(tensor, path));
  const state: TensorMap = new Map();
  for (const [index, { name, shape, begin, end }] of tensors.entries()) {
    const dtype = dtypes[index] as DType;
    const { buffer } = read(file, path, begin, end - begin);
    state.set(name, { dtype, shape, data: new DTYPES[dtype].array(buffer) } as StateDictEntry);
  }
  return state;
}

function readHeader(file: number, path: string): ReturnType<typeof parseSafetensorsHeader> {
  const { size } = fstatSync(file);
  try {
    const prefix = read(file, path, 0, Math.min(PREFIX_BYTES, size));
    const header = read(file, path, 0, safetensorsHeaderBytes(prefix, size));
    return parseSafetensorsHeader(header, size);
  } catch (error) {
    if (!(error instanceof SilverlodeError)) throw error;
    throw new SilverlodeError(error.code, `${path}: ${error.message}`, { ...error, path });
  }
}

/** `length` bytes from `position`, in memory of their own. */
function read(file: number, path: string, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = readSync(file, bytes, done, length - done, position + done);
    if (count === 0) {
      const problem = `ends at byte ${position + done}, in the middle of a tensor`;
      throw new SilverlodeError('CORRUPT_FILE', `${path}: data ${problem}`, { path, field: 'data' });
    }
    done += count;
  }
  return bytes;
}

function dtypeOf({ name, dtype }: TensorEntry, path: string): DType {
  const found = Object.entries(DTYPES).find(([, { safetensors }]) => safetensors === dtype);
  if (found) return found[0] as DType;
  const message = `${path}: tensor '${name}' is ${dtype}; convert it to one of ${Object.keys(DTYPES).join(' ')}`;
  throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, tensor: name, dtype });
}
