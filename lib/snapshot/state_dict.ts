// Weights from any safetensors file, PyTorch's included. Such files are only 8-byte aligned, so tensors are copied.

import { SilverlodeError } from '../errors.js';
import { type InputFile, type ReadOptions, withInputFile } from '../io/input_file.js';
import {
  isTensorDType,
  PREFIX_BYTES,
  parseSafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorDType,
  type TensorEntry,
} from './safetensors.js';

const TENSOR_TYPES = {
  F32: { dtype: 'float32', data: Float32Array },
  F16: { dtype: 'float16', data: Uint16Array },
  BF16: { dtype: 'bfloat16', data: Uint16Array },
  I8: { dtype: 'int8', data: Int8Array },
  U8: { dtype: 'uint8', data: Uint8Array },
  I32: { dtype: 'int32', data: Int32Array },
  I64: { dtype: 'int64', data: BigInt64Array },
} as const satisfies Record<TensorDType, unknown>;

type TensorTypes = (typeof TENSOR_TYPES)[TensorDType];

/** One tensor of a state dict: row-major, in memory of its own. Half types are their raw 16 bits. */
export type StateDictEntry = {
  [Type in TensorTypes as Type['dtype']]: {
    readonly dtype: Type['dtype'];
    readonly shape: readonly number[];
    readonly data: InstanceType<Type['data']>;
  };
}[TensorTypes['dtype']];

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
    const types = tensors.map((tensor) => typeOf(tensor, path));
    const entries: StateDict = new Map();
    for (const [index, tensor] of tensors.entries()) {
      entries.set(tensor.name, await readTensor(file, tensor, types[index] as TensorTypes));
    }
    return entries;
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

function typeOf({ name, dtype }: TensorEntry, path: string): TensorTypes {
  if (isTensorDType(dtype)) return TENSOR_TYPES[dtype];
  const supported = Object.keys(TENSOR_TYPES).join(' ');
  const message = `${path}: tensor '${name}' is ${dtype}; convert it to one of ${supported}`;
  throw new SilverlodeError('UNSUPPORTED_DTYPE', message, { path, tensor: name, dtype });
}

async function readTensor(file: InputFile, tensor: TensorEntry, type: TensorTypes): Promise<StateDictEntry> {
  const { buffer } = await file.read(tensor.begin, tensor.end - tensor.begin);
  return { dtype: type.dtype, shape: tensor.shape, data: new type.data(buffer) } as StateDictEntry;
}
