// The constants of programs where a device reads them: on a GPU one copy per tensor, however many programs and buckets use it.
import { SilverlodeError } from '../errors.js';
import { addon, type NativeDevice, type NativeTensor } from '../native/addon.js';
import type { Tensor } from '../tensor/tensor.js';

/** Copies are made on first use and given up by `dispose`; planned programs keep what they use. */
export class DeviceConstants {
  readonly #copies = new Map<Tensor, Promise<NativeTensor>>();

  constructor(readonly device: NativeDevice) {}

  /** @throws SilverlodeError `OUT_OF_MEMORY`, before any copy, when the device has no room for all of them. */
  async place(constants: readonly Tensor[]): Promise<NativeTensor[]> {
    const missing = constants.filter((each) => each.device !== this.device.id && !this.#copies.has(each));
    this.#requireRoom(missing);
    for (const each of missing) {
      const copy = this.#copy(each);
      this.#copies.set(each, copy);
      copy.catch(() => this.#copies.delete(each)); // the next use tries again
    }
    return Promise.all(constants.map((each) => this.#copies.get(each) ?? each.native));
  }

  dispose(): void {
    for (const copy of this.#copies.values()) {
      copy.then(
        (native) => native.dispose(),
        () => undefined,
      );
    }
    this.#copies.clear();
  }

  async #copy(constant: Tensor): Promise<NativeTensor> {
    if (this.device.id === 'cpu') return (await constant.to('cpu')).native;
    return addon().copyTensor(this.device, constant.native, this.device.id);
  }

  #requireRoom(constants: readonly Tensor[]): void {
    const free = this.device.memory()?.freeBytes;
    const needed = constants.reduce((sum, { nbytes }) => sum + nbytes, 0);
    if (free === undefined || needed <= free) return;
    const { id: device } = this.device;
    throw new SilverlodeError(
      'OUT_OF_MEMORY',
      `the model's tensors need ${needed} bytes on ${device}, ${free} are free`,
      { device, needed, free },
    );
  }
}
