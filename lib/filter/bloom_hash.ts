// MurmurHash3_x64_128 (Austin Appleby, public domain) in 32-bit arithmetic: publishing hashes every distinct value of a
// catalogue, and BigInt would make that ten times slower. A 64-bit word is two int32 halves, high and low.

const encoder = new TextEncoder();
let bytes = new Uint8Array(1024);
let view = new DataView(bytes.buffer);

/** The last result of a 64-bit operation; returning pairs would allocate. */
let high = 0;
let low = 0;

/**
 * The 64-bit hash of one value of one field: the low half of MurmurHash3_x64_128, seed 0, over the UTF-8 bytes of the
 * field's index in decimal, a zero byte, and the value's text. Published models depend on it.
 *
 * @param field Index of the field in its schema.
 * @param value `String(value)` of the string, boolean, int64 or float64.
 * @returns An unsigned 64-bit integer.
 */
export function termHash(field: number, value: string): bigint {
  const length = encode(`${field}\u0000${value}`);
  return murmur3(length);
}

/** Writes the UTF-8 form of `text` and enough zeros to read a last, partial block whole. */
function encode(text: string): number {
  const capacity = text.length * 3 + 16;
  if (bytes.length < capacity) {
    bytes = new Uint8Array(capacity * 2);
    view = new DataView(bytes.buffer);
  }
  const { written } = encoder.encodeInto(text, bytes);
  bytes.fill(0, written, written + 16);
  return written;
}

function murmur3(length: number): bigint {
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  for (let at = 0; at < length; at += 16) {
    const whole = at + 16 <= length;

    scramble1(view.getInt32(at + 4, true), view.getInt32(at, true));
    h1High ^= high;
    h1Low ^= low;
    if (whole) {
      rotateLeft(h1High, h1Low, 27);
      add(high, low, h2High, h2Low);
      multiply(high, low, 0, 5);
      add(high, low, 0, 0x52dce729);
      h1High = high;
      h1Low = low;
    }

    scramble2(view.getInt32(at + 12, true), view.getInt32(at + 8, true));
    h2High ^= high;
    h2Low ^= low;
    if (whole) {
      rotateLeft(h2High, h2Low, 31);
      add(high, low, h1High, h1Low);
      multiply(high, low, 0, 5);
      add(high, low, 0, 0x38495ab5);
      h2High = high;
      h2Low = low;
    }
  }

  h1Low ^= length;
  h2Low ^= length;
  add(h1High, h1Low, h2High, h2Low);
  h1High = high;
  h1Low = low;
  add(h2High, h2Low, h1High, h1Low);
  h2High = high;
  h2Low = low;
  finish(h1High, h1Low);
  h1High = high;
  h1Low = low;
  finish(h2High, h2Low);
  add(high, low, h1High, h1Low);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** k1 of the algorithm; zero stays zero, so a block that is not there changes nothing. */
function scramble1(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, 0x87c37b91, 0x114253d5);
  rotateLeft(high, low, 31);
  multiply(high, low, 0x4cf5ad43, 0x2745937f);
}

/** k2 of the algorithm. */
function scramble2(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, 0x4cf5ad43, 0x2745937f);
  rotateLeft(high, low, 33);
  multiply(high, low, 0x87c37b91, 0x114253d5);
}

function finish(hHigh: number, hLow: number): void {
  // x ^ (x >>> 33) touches the low half only.
  multiply(hHigh, hLow ^ (hHigh >>> 1), 0xff51afd7, 0xed558ccd);
  multiply(high, low ^ (high >>> 1), 0xc4ceb9fe, 0x1a85ec53);
  low ^= high >>> 1;
}

function add(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const sum = (aLow >>> 0) + (bLow >>> 0);
  high = (aHigh + bHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** Modulo 2^64; the low halves multiply in 16-bit parts, whose products a float64 holds exactly. */
function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = (middle & 0xffff) + a0 * b1;
  const upper = a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
  high = (upper + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  low = Math.imul(aLow, bLow);
}

function rotateLeft(aHigh: number, aLow: number, bits: number): void {
  const swap = bits >= 32;
  const from = swap ? aLow : aHigh;
  const to = swap ? aHigh : aLow;
  const shift = bits & 31;
  high = (from << shift) | (to >>> (32 - shift));
  low = (to << shift) | (from >>> (32 - shift));
}
