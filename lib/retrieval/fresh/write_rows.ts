import { addon, type NativeDevice } from '../../native/addon.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Submits the writing at once, behind the runs that were submitted before. */
export async function writeRows(
  device: NativeDevice,
  table: Tensor | undefined,
  rows: ReadonlyMap<number, Float32Array>,
): Promise<void> {
  if (rows.size === 0 || table === undefined) return;
  const width = table.shape[1] as number;
  const values = new Float32Array(rows.size * width);
  [...rows.values()].forEach((features, i) => {
    values.set(features, i * width);
  });
  await addon().writeRows(device, table.native, Int32Array.from(rows.keys()), new Uint8Array(values.buffer));
}
