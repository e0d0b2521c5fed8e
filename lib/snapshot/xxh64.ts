// XXH64 for headers. Tensor bytes are hashed by the native code with the same function; this one is for small input.
// Algorithm: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

const MASK = 0xffff_ffff_ffff_ffffn;
const PRIME1 = 0x9e37_79b1_85eb_ca87n;
const PRIME2 = 0xc2b2_ae3d_27d4_eb4fn;
const PRIME3 = 0x1656_67b1_9e37_79f9n;
const PRIME4 = 0x85eb_ca77_c2b2_ae63n;
const PRIME5 = 0x27d4_eb2f_1656_67c5n;

/**
 * 64-bit xxHash of the bytes.
 *
 * @param bytes What to hash. About 10 MB/s: meant for headers, not for tensors.
 * @param seed 64-bit seed.
 */
export function xxh64(bytes: Uint8Array, seed = 0n): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash: bigint;
  if (bytes.length >= 32) {
    let [a, b, c, d] = [seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1].map((lane) => lane & MASK) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    for (; at + 32 <= bytes.length; at += 32) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of [a, b, c, d]) hash = multiply(hash ^ round(0n, lane), PRIME1, PRIME4);
  } else {
    hash = (seed + PRIME5) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = multiply(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n), PRIME1, PRIME4);
  }
  if (at + 4 <= bytes.length) {
    hash = multiply(rotate(hash ^ multiply(BigInt(view.getUint32(at, true)), PRIME1), 23n), PRIME2, PRIME3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = multiply(rotate(hash ^ multiply(BigInt(view.getUint8(at)), PRIME5), 11n), PRIME1);
  }
  hash = multiply(hash ^ (hash >> 33n), PRIME2);
  hash = multiply(hash ^ (hash >> 29n), PRIME3);
  return hash ^ (hash >> 32n);
}

/** A 64-bit hash as the file writes it: 16 lower-case hexadecimal digits. */
export function hex16(hash: bigint): string {
  return hash.toString(16).padStart(16, '0');
}

function round(lane: bigint, input: bigint): bigint {
  return multiply(rotate((lane + input * PRIME2) & MASK, 31n), PRIME1);
}

/** `value * factor + addend` in 64 bits. */
function multiply(value: bigint, factor: bigint, addend = 0n): bigint {
  return (value * factor + addend) & MASK;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}
