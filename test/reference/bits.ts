/** Reads bit `row` of a mask, least significant first. */
export function bitReader(words: BigInt64Array): (row: number) => boolean {
  const halves = new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
  return (row) => (((halves[row >> 5] as number) >>> (row & 31)) & 1) === 1;
}
