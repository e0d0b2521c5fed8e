import { addon, type NativeDevice, type NativeTensor } from '../../native/addon.js';
import type { Tensor } from '../../tensor/tensor.js';

/**
 * Submits the writing at once, behind the runs that were submitted before.
 *
 * @param copy The same table where the device reads it, when that is elsewhere.
 */
export async function writeRows(
  device: NativeDevice,
  table: Tensor | undefined,
  rows: ReadonlyMap<number, Float32Array>,
  copy?: Promise<NativeTensor>,
): Promise<void> {
  if (rows.size === 0 || table === undefined) return;
  const width = table.shape[1] as number;
  const values = new Float32Array(rows.size * width);
  [...rows.values()].forEach((features, i) => {
    values.set(features, i * width);
  });
  const write = (to: NativeTensor) =>
    addon().writeRows(device, to, Int32Array.from(rows.keys()), new Uint8Array(values.buffer));
  const written = write(table.native);
  if (copy) await write(await copy);
  await written;
}
