// Tensors as users hold them: a dtype, a shape and native memory on one device.
import { requireKnown, SilverlodeError } from '../errors.js';
import { addon, type NativeTensor } from '../native/addon.js';
import { deviceFor, resolveDevice } from '../native/device.js';
import { type ArrayOf, DTYPES, type DType, dtypeOfArray, requireDtype } from './dtype.js';
import { requireExact } from './exact.js';
import { floatToBfloat16, floatToFloat16 } from './half.js';
import { elementCount, requireShape } from './shape.js';
import { isDetached, isTypedArrayOf } from './typed_array.js';

/** What `tensor()` takes: a typed array (its bytes are copied) or plain numbers. */
export type TensorData = ArrayBufferView | readonly number[] | readonly bigint[];

/** How `tensor()` reads its data. */
export interface TensorOptions<D extends DType = DType> {
  /** Default: that of the typed array; `float32` for numbers, `int64` for bigints. A Uint16Array needs one. */
  dtype?: D;
  /** Default: `[data.length]`. */
  shape?: readonly number[];
  /** Default: `'cpu'`. The copy is done when the call returns; `to()` copies without holding up the event loop. */
  device?: string;
  /** Page-locked host memory for fast copies to a GPU. Without a GPU there is nothing to pin and it is ignored. */
  pinned?: boolean;
}

/** Copies into tensors are done in pieces of this size: a few milliseconds, most of them for pages touched for the first time. */
const COPY_BYTES = 4 << 20;

/**
 * A dense tensor in native memory, of the host or of a GPU.
 *
 * Its memory is released by `dispose()` (or `using`), or by garbage collection, but never before running work and the
 * arrays returned by `view()` are done with it.
 */
export class Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly device: string;
  /** Size in bytes. */
  readonly nbytes: number;
  #native: NativeTensor | undefined;
  #view: ArrayOf<D> | undefined;

  /** @internal Use `tensor()`. */
  constructor(native: NativeTensor) {
    this.dtype = native.dtype as D;
    this.shape = Object.freeze(native.shape);
    this.device = native.device;
    this.nbytes = elementCount(this.shape) * DTYPES[this.dtype].bytes;
    this.#native = native;
  }

  /** @internal Zero-filled host memory, or memory of a GPU with undefined contents. */
  static allocate<D extends DType>(dtype: D, shape: readonly number[], device = 'cpu', pinned = false): Tensor<D> {
    return new Tensor<D>(addon().NativeTensor.allocate(dtype, shape, device, pinned));
  }

  /** @internal The native handle. `DISPOSED` after `dispose()`. */
  get native(): NativeTensor {
    if (this.#native === undefined) throw new SilverlodeError('DISPOSED', 'the tensor was disposed');
    return this.#native;
  }

  /**
   * The elements without a copy, as a flat typed array (half types as bit patterns in a Uint16Array). Writing to it
   * writes the tensor. The array keeps the memory alive, also after `dispose()`.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for a tensor on a GPU: `read()` copies it to the host.
   */
  view(): ArrayOf<D> {
    if (this.#view === undefined || this.#view.buffer.byteLength !== this.nbytes) {
      const ArrayType = DTYPES[this.dtype].array as unknown as new (buffer: ArrayBuffer) => ArrayOf<D>;
      this.#view = new ArrayType(this.native.buffer());
    }
    this.native; // throws when disposed
    return this.#view;
  }

  /** A copy of the elements, from any device. */
  async read(): Promise<ArrayOf<D>> {
    if (this.device === 'cpu') return this.view().slice() as ArrayOf<D>;
    const copy = await this.to('cpu');
    return copy.view(); // which keeps the copy's memory
  }

  /** The same tensor on another device; itself when it is there already. */
  async to(device: string): Promise<Tensor<D>> {
    const target = resolveDevice(device);
    if (target === this.device) return this;
    const driver = deviceFor(target === 'cpu' ? this.device : target);
    return new Tensor<D>(await addon().copyTensor(driver, this.native, target));
  }

  /** The same memory under another shape of equally many elements. */
  reshape(shape: readonly number[]): Tensor<D> {
    return new Tensor<D>(this.native.reshape(shape));
  }

  dispose(): void {
    this.#native?.dispose();
    this.#native = undefined;
    this.#view = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Makes a tensor by copying `data`.
 *
 * @throws SilverlodeError `SHAPE_MISMATCH` when data and shape disagree, `UNSUPPORTED_DTYPE`, `DEVICE_UNAVAILABLE`,
 * `INVALID_ARGUMENT` for an array without its buffer.
 * @example
 * ```ts
 * const scores = tensor(new Float32Array([0.5, 2, 1]), { shape: [1, 3] });
 * ```
 */
export function tensor<D extends DType = 'float32'>(data: TensorData, options: TensorOptions<D> = {}): Tensor<D> {
  requireKnown('tensor options', options, ['dtype', 'shape', 'device', 'pinned']);
  const { device = 'cpu', shape, pinned } = options;
  const typed = ArrayBuffer.isView(data) ? data : fromNumbers(data, options.dtype);
  requireAttached(typed);
  const dtype = options.dtype === undefined ? dtypeOfArray(typed) : requireDtype(options.dtype);
  if (dtype === undefined) {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `a ${typed.constructor.name} needs an explicit dtype`);
  }
  const { bytes, array } = DTYPES[dtype];
  if (!isTypedArrayOf(typed, array)) {
    throw new SilverlodeError(
      'UNSUPPORTED_DTYPE',
      `a ${dtype} tensor takes a ${array.name}, got a ${typed.constructor.name}`,
    );
  }
  const dims = shape === undefined ? [typed.byteLength / bytes] : requireShape(shape);
  if (elementCount(dims) * bytes !== typed.byteLength) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `shape [${dims.join(', ')}] needs ${elementCount(dims)} elements, got ${typed.byteLength / bytes}`,
    );
  }
  const made = Tensor.allocate(dtype, dims, resolveDevice(device), pinned);
  const source = new Uint8Array(typed.buffer as ArrayBuffer, typed.byteOffset, typed.byteLength);
  made.native.write(0, source);
  return made as Tensor as Tensor<D>;
}

/** Like `tensor()` for large arrays: copies in pieces and lets the event loop run between them. */
export async function tensorInPieces<D extends DType>(
  data: ArrayBufferView,
  dtype: D,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<Tensor<D>> {
  requireAttached(data);
  const made = Tensor.allocate(dtype, shape);
  const source = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  for (let begin = 0; begin < made.nbytes; begin += COPY_BYTES) {
    if (begin > 0) await new Promise((resolve) => setImmediate(resolve));
    if (source.length !== made.nbytes)
      throw new SilverlodeError('INVALID_ARGUMENT', 'the array lost its buffer while it was read');
    if (signal?.aborted) throw new SilverlodeError('ABORTED', 'aborted', {}, { cause: signal.reason });
    made.native.write(begin, source.subarray(begin, begin + COPY_BYTES));
  }
  return made;
}

function requireAttached(data: ArrayBufferView): void {
  if (isDetached(data))
    throw new SilverlodeError('INVALID_ARGUMENT', 'the array has lost its buffer: it was transferred elsewhere');
}

function fromNumbers(data: readonly number[] | readonly bigint[], dtype: DType | undefined): ArrayBufferView {
  if (!Array.isArray(data))
    throw new SilverlodeError('INVALID_ARGUMENT', 'tensor data must be a typed array or a list of numbers');
  const kind = dtype ?? (typeof data[0] === 'bigint' ? 'int64' : 'float32');
  if (kind === 'int64') return BigInt64Array.from(data as bigint[], BigInt);
  const numbers = data as number[];
  if (kind === 'float16') return Uint16Array.from(numbers, floatToFloat16);
  if (kind === 'bfloat16') return Uint16Array.from(numbers, floatToBfloat16);
  requireExact('data', numbers, requireDtype(kind));
  return new DTYPES[kind as 'float32'].array(numbers);
}
