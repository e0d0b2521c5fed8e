// float16 and bfloat16 bit patterns, rounding to nearest even; the same results as native/core/half.h.
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function floatToBfloat16(value: number): number {
  float[0] = value;
  const b = bits[0] as number;
  if ((b & 0x7fffffff) > 0x7f800000) return (b >>> 16) | 0x40;
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}

export function floatToFloat16(value: number): number {
  float[0] = value;
  const b = bits[0] as number;
  const sign = (b >>> 16) & 0x8000;
  const magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
  }
  bits[0] = magnitude;
  float[0] = (float[0] as number) + 0.5;
  return sign | ((bits[0] as number) - 0x3f000000);
}

export function bfloat16ToFloat(pattern: number): number {
  bits[0] = pattern << 16;
  return float[0] as number;
}

export function float16ToFloat(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 31;
  const mantissa = pattern & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
}

let float16Values: Float32Array | undefined;

/** Many at once, by a table of all patterns: a conversion of its own for each of millions takes a hundred times as long. */
export function float16ToFloats(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  float16Values ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => float16ToFloat(pattern));
  const floats = new Float32Array(patterns.length);
  for (let i = 0; i < floats.length; i++) floats[i] = float16Values[patterns[i] as number] as number;
  return floats;
}

/** The same of bfloat16. */
export function bfloat16ToFloats(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(patterns.length);
  for (let i = 0; i < words.length; i++) words[i] = (patterns[i] as number) << 16;
  return new Float32Array(words.buffer);
}
