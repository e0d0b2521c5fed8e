// The formulas of native/ops/filter_index.h, in exact integers.

/** Positions of a term in a block of `width` positions. */
export function bloomPositions(hash: bigint, hashes: number, width: number): number[] {
  const unsigned = BigInt.asUintN(64, hash);
  const [h1, h2] = [unsigned & 0xffffffffn, unsigned >> 32n];
  return Array.from({ length: hashes }, (_, j) => {
    const mixed = (h1 + BigInt(j) * (h2 | 1n)) % 2n ** 32n;
    return Number((mixed * BigInt(width)) >> 32n);
  });
}

/** Terms of one row. */
export function termsOf(offsets: Int32Array, terms: Int32Array, row: number): Int32Array {
  return terms.subarray(offsets[row], offsets[row + 1]);
}

export function setBit(words: BigInt64Array, word: number, bit: number): void {
  words[word] = (words[word] as bigint) | BigInt.asIntN(64, 1n << BigInt(bit));
}
