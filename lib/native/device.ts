// Open devices of this environment: the shared default one for eager ops, and one per model for its own threads.
import { AsyncLocalStorage } from 'node:async_hooks';
import { SilverlodeError } from '../errors.js';
import { addon, type CancelFlag, type DeviceInfo, type NativeDevice } from './addon.js';

/** Where and with what a model or program computes. */
export interface DeviceOptions {
  /** `'auto'` (default) takes a GPU when there is one, else the CPU; `'cpu'`, `'cuda:0'`. */
  device?: string;
  /** CPU compute threads; default: the physical cores this process may use. */
  threads?: number;
  /** SIMD level, for tests and measurements: `'serial'`, `'avx2'`, `'avx512vnni'`, `'neon'`; default: the best (or SILVERLODE_SIMD). */
  simd?: string;
  /**
   * GPU: runs of one size are recorded as a CUDA graph and launched in one call (default true); false launches kernel by
   * kernel, with the same results, for debugging.
   */
  graphs?: boolean;
}

/**
 * All compute devices this package knows of, with the reason where one cannot be used.
 *
 * @example
 * ```ts
 * for (const { id, available, reason } of devices()) console.log(id, available ? 'ready' : reason);
 * ```
 */
export function devices(): DeviceInfo[] {
  return addon().devices();
}

/** The device id behind a `device` option. */
export function resolveDevice(device = 'auto'): string {
  if (device === 'cuda') return 'cuda:0';
  if (device !== 'auto') return device;
  return devices().find((info) => info.available && !info.emulated && info.id !== 'cpu')?.id ?? 'cpu';
}

export function openDevice(options: DeviceOptions = {}): NativeDevice {
  const { threads = 0, simd = '', graphs = true } = options;
  if (!Number.isInteger(threads) || threads < 0) {
    throw new SilverlodeError('INVALID_ARGUMENT', `threads must be a positive integer, got ${threads}`);
  }
  return new (addon().NativeDevice)(resolveDevice(options.device), threads, simd, graphs);
}

let shared: NativeDevice | undefined;
const ofTensors = new Map<string, NativeDevice>();
const scope = new AsyncLocalStorage<NativeDevice>();

/** @internal The device of eager ops: that of the enclosing `onDevice`, else the default one, opened on first use. */
export function currentDevice(): NativeDevice {
  const scoped = scope.getStore();
  if (scoped) return scoped;
  shared ??= openDevice({ device: 'cpu' });
  return shared;
}

/** @internal The device for work on tensors of device `id`: the current one, or one that such work shares. */
export function deviceFor(id: string): NativeDevice {
  const current = currentDevice();
  if (id === 'cpu' || current.id === id) return current;
  const open = ofTensors.get(id) ?? openDevice({ device: id });
  ofTensors.set(id, open);
  return open;
}

/** @internal Eager ops inside `work`, also after awaits, run on `device`. */
export function onDevice<T>(device: NativeDevice, work: () => Promise<T>): Promise<T> {
  return scope.run(device, work);
}

/** @internal Long work in the background: eager ops inside `work` run on one thread that nothing else waits for. */
export async function onOwnDevice<T>(work: (device: NativeDevice) => Promise<T>): Promise<T> {
  const device = openDevice({ device: 'cpu', threads: 1 });
  try {
    return await onDevice(device, () => work(device));
  } finally {
    device.dispose();
  }
}

/**
 * Says where ops on concrete tensors run from now on in this thread (models and programs have their own option): threads and
 * SIMD level for measurements and tests.
 */
export function setDefaultDevice(options: DeviceOptions): void {
  shared = openDevice(options);
}

/**
 * Runs native work under an AbortSignal: the wait ends at once, the work at its next step.
 *
 * @throws SilverlodeError `ABORTED` with the signal's reason as cause.
 */
export async function withSignal<T>(
  signal: AbortSignal | undefined,
  work: (cancel: CancelFlag | undefined) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work(undefined);
  const aborted = () => new SilverlodeError('ABORTED', 'the operation was aborted', {}, { cause: signal.reason });
  if (signal.aborted) throw aborted();
  const flag = new (addon().CancelFlag)();
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => {
      flag.cancel();
      reject(aborted());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    work(flag)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
