import type { FilterValue } from './ast.js';

const NUMBER = /^(-?)(?=\.?\d)(\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Whether `text` is a decimal number of the filter language: `-1`, `2.5`, `.5`, `1e-9`. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** A literal as text. Nothing is lost: an integral float64 is written out in full. */
export function literalText(value: FilterValue): string {
  return Number.isInteger(value) ? BigInt(value as number).toString() : String(value);
}

/** Far outside int64, so that comparing and stepping by one need no care at the ends. */
const BEYOND = 1n << 70n;

/** Splits a number exactly into the integer at or below it and whether a fraction was cut; huge numbers saturate. */
export function integerFloor(text: string): { floor: bigint; fractional: boolean } {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  // The value is 0.significant * 10^point; an absurd exponent is decided here, before any BigInt grows with it.
  const point = digits.length - fraction.length + Number(exponent);
  if (significant === '') return { floor: 0n, fractional: false };
  if (point > 20) return { floor: sign ? -BEYOND : BEYOND, fractional: false };
  const fractional = significant.length > point;
  const magnitude = point <= 0 ? 0n : BigInt(significant.slice(0, point).padEnd(point, '0'));
  if (!sign) return { floor: magnitude, fractional };
  return { floor: fractional ? -magnitude - 1n : -magnitude, fractional };
}

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/**
 * The int64 key under which a float64 column stores `value`: keys order as the numbers do, neighbours differ by one,
 * and -0 has the key of +0. NaN has no key, it is *no value*.
 */
export function float64Key(value: number): bigint {
  float[0] = value + 0;
  const key = bits[0] ?? 0n;
  return key >= 0n ? key : key ^ 0x7fffffffffffffffn;
}

/** The number behind a `float64Key`. */
export function numberOfKey(key: bigint): number {
  bits[0] = key >= 0n ? key : key ^ 0x7fffffffffffffffn;
  return float[0] as number;
}
