// The constants of programs where a device reads them: on a GPU one copy per tensor, however many programs and buckets use it.
import { SilverlodeError } from '../errors.js';
import { addon, type NativeDevice, type NativeTensor } from '../native/addon.js';
import type { Tensor } from '../tensor/tensor.js';

/** Copies are made on first use. `dispose` gives them up once nobody is about to use them; planned programs keep theirs. */
export class DeviceConstants {
  readonly #copies = new Map<Tensor, Promise<NativeTensor>>();
  #users = 0;
  #disposed = false;

  constructor(readonly device: NativeDevice) {}

  /**
   * Calls `work` with the constants on the device; at once, where nothing has to be copied.
   *
   * @throws SilverlodeError `DISPOSED` for a disposed constant; `OUT_OF_MEMORY`, before any copy, when the device has no room
   * for all of them.
   */
  async use<T>(constants: readonly Tensor[], work: (placed: NativeTensor[]) => Promise<T>): Promise<T> {
    const natives = constants.map(({ native }) => native);
    if (constants.every(({ device }) => device === this.device.id)) return work(natives);
    this.#users++;
    try {
      return await work(await this.#place(constants));
    } finally {
      this.#users--;
      this.#release();
    }
  }

  /** The copy of a constant, if there is one. */
  copyOf(constant: Tensor): Promise<NativeTensor> | undefined {
    return this.#copies.get(constant);
  }

  dispose(): void {
    this.#disposed = true;
    this.#release();
  }

  async #place(constants: readonly Tensor[]): Promise<NativeTensor[]> {
    const isMissing = (each: Tensor) => each.device !== this.device.id && !this.#copies.has(each);
    await this.#requireRoom(constants.filter(isMissing));
    for (const each of constants.filter(isMissing)) {
      const copy = this.#copy(each);
      this.#copies.set(each, copy);
      copy.catch(() => this.#copies.delete(each)); // the next use tries again
    }
    return Promise.all(constants.map((each) => this.#copies.get(each) ?? each.native));
  }

  async #copy(constant: Tensor): Promise<NativeTensor> {
    if (this.device.id === 'cpu') return (await constant.to('cpu')).native;
    return addon().copyTensor(this.device, constant.native, this.device.id);
  }

  async #requireRoom(constants: readonly Tensor[]): Promise<void> {
    if (constants.length === 0) return;
    const needed = constants.reduce((sum, { nbytes }) => sum + nbytes, 0);
    const free = (await addon().deviceMemory(this.device))?.freeBytes ?? needed;
    if (needed <= free) return;
    const { id: device } = this.device;
    throw new SilverlodeError(
      'OUT_OF_MEMORY',
      `the model's tensors need ${needed} bytes on ${device}, ${free} are free`,
      { device, needed, free },
    );
  }

  #release(): void {
    if (!this.#disposed || this.#users > 0) return;
    for (const copy of this.#copies.values()) {
      copy.then(
        (native) => native.dispose(),
        () => undefined,
      );
    }
    this.#copies.clear();
  }
}
