import { SilverlodeError } from '../../errors.js';
import { devices, resolveDevice } from '../../native/device.js';
import { type Output, table } from '../output.js';

/** Lists the devices; with `device` only that one, which then must be usable. */
export function runDevices(flags: { device?: string }, output: Output): void {
  const all = devices();
  const id = flags.device && resolveDevice(flags.device);
  const shown = id ? all.filter((info) => info.id === id) : all;
  const [only] = shown;
  if (id && !only?.available) {
    const reason = only?.reason ?? `there is no such device; known: ${all.map((info) => info.id).join(', ')}`;
    throw new SilverlodeError('DEVICE_UNAVAILABLE', `${id}: ${reason}`, { device: id });
  }
  output.result(shown, () =>
    table(
      shown.map(({ id, available, name, simd, computeCapability, threads, memoryBytes, reason, note }) => ({
        id,
        available,
        name,
        variant: simd ?? computeCapability,
        threads,
        memory: memoryBytes && `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
        reason: reason ?? note,
      })),
    ),
  );
}
