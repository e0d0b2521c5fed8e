// The typed contract of the native binary: the only place that knows native names. A test compares it with the exports.
import { SilverlodeError } from '../errors.js';
import type { DType, TensorArray } from '../tensor/dtype.js';
import { loadAddon } from './load.js';

/** Memory of one tensor, on the host or a GPU; lives until the last job, view or handle that shares it is gone. */
export interface NativeTensor {
  readonly dtype: DType;
  readonly shape: number[];
  /** `'cpu'`, `'cuda:0'`, … */
  readonly device: string;
  /** Host tensors only: the bytes without a copy where the runtime allows it. Every call makes a new ArrayBuffer over the same memory. */
  buffer(): ArrayBuffer;
  write(byteOffset: number, bytes: Uint8Array): void;
  reshape(shape: readonly number[]): NativeTensor;
  dispose(): void;
}

/** A device with the one executor thread that drives it. */
export interface NativeDevice {
  readonly id: string;
  readonly threads: number;
  /** CPU: the SIMD level in use; GPU: its compute capability. */
  readonly variant: string;
  /** No new work; the threads end with the last program or job that uses them. */
  dispose(): void;
}

/** dtype and shape of a value; a negative dimension names a symbol (-1 is the program's first). */
export interface NativeSpec {
  dtype: DType;
  shape: number[];
}

export type StepAttribute = number | string | readonly number[];
export type StepAttributes = Readonly<Record<string, StepAttribute>>;

/** A recorded program, exactly as it is kept (as JSON) in a model file. See native/program/spec.h. */
export interface ProgramSpec {
  symbols: string[];
  inputs: (NativeSpec & { name: string })[];
  constants: (NativeSpec & { name: string })[];
  steps: { op: string; label: string; attributes: StepAttributes; inputs: number[]; outputs: number }[];
  outputs: number[];
}

export interface NativeProgram {
  sizes(): { arenaBytes: number; preparedBytes: number };
  outputShapes(dims: readonly number[]): NativeSpec[];
  /** Of every value: inputs, constants, step outputs. */
  valueShapes(dims: readonly number[]): NativeSpec[];
  /** Typed arrays are copied before this returns; `timed` resolves to the milliseconds of every step. */
  run(
    inputs: readonly (NativeTensor | ArrayBufferView)[],
    dims: readonly number[],
    outputs: readonly (NativeTensor | ArrayBufferView | null)[],
    cancel?: CancelFlag,
    timed?: boolean,
  ): Promise<Float64Array | undefined>;
  /** The same, with the outputs as typed arrays of one new buffer. */
  runToArrays(
    inputs: readonly (NativeTensor | ArrayBufferView)[],
    dims: readonly number[],
    cancel?: CancelFlag,
  ): Promise<TensorArray[]>;
  /** The same on the calling thread, which waits for what was submitted to the device before. */
  runHere(inputs: readonly (NativeTensor | ArrayBufferView)[], dims: readonly number[]): TensorArray[];
  dispose(): void;
}

export interface NativeFile {
  readonly size: number;
  bytes(begin: number, length: number): Uint8Array;
  tensor(begin: number, dtype: DType, shape: readonly number[]): NativeTensor;
  /** Closes the file; tensors made from it keep its memory. */
  dispose(): void;
}

/** Asks running work to stop at its next step. */
export interface CancelFlag {
  cancel(): void;
}

/** One compute device as the native side reports it. */
export interface DeviceInfo {
  /** `'cpu'`, `'cuda:0'`, … */
  id: string;
  name: string;
  available: boolean;
  /** Why the device cannot be used. */
  reason?: string;
  /** What the device does without. */
  note?: string;
  /** GPU: `'9.0'` */
  computeCapability?: string;
  /** True for the CUDA emulation used in tests, never for a real GPU. */
  emulated?: boolean;
  /** CPU: SIMD level in use. */
  simd?: string;
  /** CPU: levels that this processor offers. */
  simdLevels?: string[];
  /** CPU: default compute threads of a model (physical cores this process may use). */
  threads?: number;
  memoryBytes?: number;
}

export interface NativeAddon {
  NativeTensor: {
    /** Zero-filled on the host, undefined contents on a GPU. `pinned`: page-locked host memory, where there is a GPU. */
    allocate(dtype: DType, shape: readonly number[], device?: string, pinned?: boolean): NativeTensor;
  };
  NativeDevice: new (id: string, threads: number, simd: string, graphs: boolean) => NativeDevice;
  NativeProgram: unknown;
  NativeFile: unknown;
  CancelFlag: new () => CancelFlag;
  devices(): DeviceInfo[];
  opNames(): string[];
  setErrorClass(errorClass: typeof SilverlodeError): void;
  inferOp(op: string, attributes: StepAttributes, inputs: readonly (NativeSpec | null)[]): NativeSpec[];
  /** Results are where the inputs are: on the device if one of them is, else on the host. */
  runOp(
    device: NativeDevice,
    op: string,
    attributes: StepAttributes,
    inputs: readonly (NativeTensor | null)[],
    cancel?: CancelFlag,
  ): Promise<NativeTensor[]>;
  createProgram(
    device: NativeDevice,
    program: ProgramSpec,
    constants: readonly NativeTensor[],
    capacities: readonly number[],
    countOnly: boolean,
  ): Promise<NativeProgram>;
  /** The same on the calling thread, which waits for what was submitted to the device before. */
  createProgramHere(
    device: NativeDevice,
    program: ProgramSpec,
    constants: readonly NativeTensor[],
    capacities: readonly number[],
  ): NativeProgram;
  /** Of a GPU; undefined for the CPU. */
  deviceMemory(device: NativeDevice): Promise<{ freeBytes: number; totalBytes: number } | undefined>;
  /** A copy where `to` is the device itself or, for its own and host tensors, `'cpu'`. */
  copyTensor(device: NativeDevice, tensor: NativeTensor, to: string): Promise<NativeTensor>;
  /** Bytes per second: what the CPU's threads read from memory (about 50 ms), what a copy inside a GPU moves. */
  readBandwidth(device: NativeDevice): Promise<number>;
  openFile(device: NativeDevice, path: string): Promise<NativeFile>;
  /**
   * Takes the exclusive advisory lock of an open file, which ends with the file descriptor, thus also with the process. False
   * when another descriptor holds it, of this or another process.
   */
  lockFile(fd: number): boolean;
  /** Where a package holds the CUDA plugin. One beside the addon, or that SILVERLODE_CUDA_PLUGIN names, comes first. */
  setCudaPlugin(path: string): void;
  /** 16 hexadecimal digits per tensor; see native/snapshot/xxh64.h. */
  checksums(device: NativeDevice, tensors: readonly NativeTensor[]): Promise<string[]>;
  /**
   * Replaces rows of a table that programs of the device read. Runs submitted before see the old rows, later ones the new.
   * Arrays are copied before this returns.
   */
  writeRows(device: NativeDevice, table: NativeTensor, rows: Int32Array, bytes: Uint8Array): Promise<void>;
  /** Header, then the tensors back to back, written beside `path` and renamed over it. */
  writeFile(
    device: NativeDevice,
    path: string,
    header: Uint8Array,
    tensors: readonly NativeTensor[],
    cancel?: CancelFlag,
  ): Promise<void>;
}

let loaded: NativeAddon | undefined;

/** The addon, loaded on first use, so that importing the package never fails for want of a binary. */
export function addon(): NativeAddon {
  if (loaded === undefined) {
    loaded = loadAddon() as NativeAddon;
    loaded.setErrorClass(SilverlodeError);
  }
  return loaded;
}
