import { SilverlodeError } from '../errors.js';

/** Refuses misspelt options instead of ignoring them. */
export function requireKnown(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new SilverlodeError('INVALID_ARGUMENT', `${where} must be an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new SilverlodeError(
        'INVALID_ARGUMENT',
        `unknown option '${name}' in ${where}; known: ${known.join(', ')}`,
        { option: name },
      );
    }
  }
}

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
