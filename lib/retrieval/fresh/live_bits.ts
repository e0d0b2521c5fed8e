// Which rows are live: one bit per row, 64 rows a word, least significant bit first.
import type { Tensor } from '../../tensor/tensor.js';

/** The bits of a live tensor, eight rows a byte, without a copy. */
export function bytesOf(live: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = live.view();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function isSet(bytes: Uint8Array, row: number): boolean {
  return (((bytes[row >> 3] as number) >> (row & 7)) & 1) === 1;
}

export function setBit(bytes: Uint8Array, row: number, live: boolean): void {
  const bit = 1 << (row & 7);
  bytes[row >> 3] = live ? (bytes[row >> 3] as number) | bit : (bytes[row >> 3] as number) & ~bit;
}

/** Bits set in every byte. */
const SET_BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

export function countSet(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) count += SET_BITS[bytes[i] as number] as number;
  return count;
}
