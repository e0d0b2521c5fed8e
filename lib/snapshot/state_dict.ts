// Weights from any safetensors file, PyTorch's included. Such files are only 8-byte aligned, so tensors are copied.

import { SilverlodeError } from '../errors.js';
import { type InputFile, type ReadOptions, withInputFile } from '../io/input_file.js';
import { type ArrayOf, DTYPES, type DType } from '../tensor/dtype.js';
import { PREFIX_BYTES, parseSafetensorsHeader, safetensorsHeaderBytes, type TensorEntry } from './safetensors.js';

/** One tensor of a state dict: row-major, in memory of its own. Half types are their raw 16 bits. */
export type StateDictEntry = {
  [D in DType]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: ArrayOf<D> };
}[DType];

/** Tensors by parameter name, e.g. `layers.0.weight`. */
export type StateDict = Map<string, StateDictEntry>;

/**
 * Reads every tensor of a safetensors file, such as a `state_dict` that PyTorch saved.
 *
 * @param path The file.
 * @param options Progress and cancellation.
 * @returns The tensors by name, copied into memory of their own.
 * @throws SilverlodeError `CORRUPT_FILE` with `tensor` or `field`; `UNSUPPORTED_DTYPE` with `tensor` for float64, bool,
 * 16-bit and unsigned wide integers; `UNSUPPORTED_VERSION`, `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const weights = await readSafetensors('overarch.safetensors');
 * weights.get('layers.0.weight')?.shape;   // [128, 203]
 * ```
 */
export function readSafetensors(path: string, options: ReadOptions = {}): Promise<StateDict> {
  return withInputFile(path, options, async (file) => {
    const { tensors } = await readHeader(file);
    const dtypes = tensors.map((tensor) => dtypeOf(tensor, path));
    const state: StateDict = new Map();
    for (const [index, { name, shape, begin, end }] of tensors.entries()) {
      const dtype = dtypes[index] as DType;
      const { buffer } = await file.read(begin, end - begin);
      state.set(name, { dtype, shape, data: new DTYPES[dtype].array(buffer) } as StateDictEntry);
    }
    return state;
  });
}

async function readHeader(file: InputFile): Promise<ReturnType<typeof parseSafetensorsHeader>> {
  try {
    const prefix = await file.read(0, Math.min(PREFIX_BYTES, file.size));
    const header = await file.read(0, safetensorsHeaderBytes(prefix, file.size));
    return parseSafetensorsHeader(header, file.size);
  } catch (error) {
    if (!(error instanceof SilverlodeError)) throw error;
    throw new SilverlodeError(error.code, `${file.path}: ${error.message}`, { ...error, path: file.path });
  }
}

function dtypeOf({ name, dtype }: TensorEntry, path: string): DType {
  const found = Object.entries(DTYPES).find(([, { safetensors }]) => safetensors === dtype);
  if (found) return found[0] as DType;
  const message = `${path}: tensor '${name}' is ${dtype}; convert it to one of ${Object.keys(DTYPES).join(' ')}`;
  throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, tensor: name, dtype });
}
