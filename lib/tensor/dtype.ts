// The element types, once: every type and table about dtypes is derived from this constant.
import { SilverlodeError } from '../errors.js';
import { isTypedArrayOf } from './typed_array.js';

/** Bytes per element, the typed array that holds them, and the name of the type in a safetensors file. */
export const DTYPES = {
  float32: { bytes: 4, array: Float32Array, safetensors: 'F32' },
  float16: { bytes: 2, array: Uint16Array, safetensors: 'F16' },
  bfloat16: { bytes: 2, array: Uint16Array, safetensors: 'BF16' },
  int8: { bytes: 1, array: Int8Array, safetensors: 'I8' },
  uint8: { bytes: 1, array: Uint8Array, safetensors: 'U8' },
  int32: { bytes: 4, array: Int32Array, safetensors: 'I32' },
  int64: { bytes: 8, array: BigInt64Array, safetensors: 'I64' },
} as const;

export type DType = keyof typeof DTYPES;
/** Typed array of a dtype; half types are their bit patterns in a Uint16Array. */
export type ArrayOf<D extends DType> = InstanceType<(typeof DTYPES)[D]['array']>;
/** Any typed array that holds tensor elements. */
export type TensorArray = ArrayOf<DType>;

/** The dtype that a typed array stands for; undefined for Uint16Array (two dtypes share it) and foreign arrays. */
export function dtypeOfArray(data: ArrayBufferView): DType | undefined {
  for (const [name, entry] of Object.entries(DTYPES)) {
    if (entry.array !== Uint16Array && isTypedArrayOf(data, entry.array)) return name as DType;
  }
  return undefined;
}

export function requireDtype(value: unknown): DType {
  if (typeof value === 'string' && Object.hasOwn(DTYPES, value)) return value as DType;
  throw new SilverlodeError(
    'UNSUPPORTED_DTYPE',
    `unknown dtype ${JSON.stringify(value)}; use ${Object.keys(DTYPES).join(', ')}`,
  );
}
