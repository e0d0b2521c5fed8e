import type { Tensor } from 'silverlode';

/** The elements of a float32, float16 or bfloat16 tensor; widening a half is exact. */
export function widened(tensor: Tensor): Float32Array {
  const { dtype } = tensor;
  if (dtype === 'float32') return tensor.view() as Float32Array;
  const widen = dtype === 'float16' ? float16 : bfloat16;
  return Float32Array.from(tensor.view() as Uint16Array, widen);
}

function bfloat16(pattern: number): number {
  return new Float32Array(Uint32Array.of(pattern << 16).buffer)[0] as number;
}

/** The number of a half-precision pattern. */
export function float16(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const [exponent, mantissa] = [(pattern >> 10) & 31, pattern & 1023];
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
}
