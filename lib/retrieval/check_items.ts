import { SilverlodeError } from '../errors.js';

export { requireKnown } from '../errors.js';

/** Refuses NaN and Infinity, naming the item; `first` is the item that `data` begins with. */
export function requireFinite(where: string, data: Float32Array, dims: number, first = 0): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      const item = first + Math.floor(i / dims);
      throw new SilverlodeError('INVALID_ARGUMENT', `${where}: item ${item} has ${data[i]} in dimension ${i % dims}`, {
        item,
        dimension: i % dims,
      });
    }
  }
}
