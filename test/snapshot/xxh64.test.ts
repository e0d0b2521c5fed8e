import { expect, test } from 'vitest';
import { hex16, xxh64 } from '../../lib/snapshot/xxh64.js';

/** The sanity buffer of the xxHash project: bytes from a fixed multiplicative generator. */
function sanityBuffer(length: number): Uint8Array {
  let generator = 2654435761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * 11400714785074694797n);
    return byte;
  });
}

test.each([
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['abc', '44bc2cf5ad770999'],
])('%j', (text, digits) => {
  expect(hex16(xxh64(Buffer.from(text)))).toBe(digits);
});

// Reference values from the C implementation; with seed 0 and with the seed that its self-test uses.
test.each([
  [0, 0xef46db3751d8e999n, 0xac75fda2929b17efn],
  [1, 0xe934a84adb052768n, 0x5014607643a9b4c3n],
  [4, 0x9136a0dca57457een, 0xcaab286bd8e9fdb5n],
  [14, 0x8282dcc4994e35c8n, 0xc3bd6bf63deb6df0n],
  [31, 0x299b39a290e6d783n, 0xda673d5feb5c1d79n],
  [32, 0x18b216492bb44b70n, 0xb3f33bdf93ade409n],
  [33, 0x55c8dc3e578f5b59n, 0xe92c292f64bc3071n],
  [222, 0xb641ae8cb691c174n, 0x20cb8ab7ae10c14an],
])('%i bytes', (length, plain, seeded) => {
  expect(xxh64(sanityBuffer(length))).toBe(plain);
  expect(xxh64(sanityBuffer(length), 2654435761n)).toBe(seeded);
});
