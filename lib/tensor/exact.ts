import { SilverlodeError } from '../errors.js';
import type { DType } from './dtype.js';

/** Least and largest value of the integer types whose elements are numbers. */
const RANGES: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/**
 * Refuses numbers that an integer type would cut off or wrap around.
 *
 * @param where What the numbers are, for the message.
 * @throws SilverlodeError `INVALID_ARGUMENT` naming the first of them.
 */
export function requireExact(where: string, values: ArrayLike<number>, dtype: DType): void {
  const range = RANGES[dtype];
  if (range === undefined) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isInteger(value) && value >= range[0] && value <= range[1]) continue;
    throw new SilverlodeError('INVALID_ARGUMENT', `${where}[${i}] is ${String(value)}, which is no ${dtype}`, {
      index: i,
    });
  }
}
