import type { Input } from '../cases/bloom_build.js';
import { bloomPositions, setBit, termsOf } from './bloom.js';

/** Bit r of block position p: row r of the block holds a term that hashes to p. */
export function bloomBuild({ rows, termHashes, layout, hashes, positions }: Input) {
  const [offsets, terms, bounds] = [rows.offsets.view(), rows.terms.view(), layout.view()];
  const bloom = new BigInt64Array(positions * 8);
  for (let row = 0; row < offsets.length - 1; row++) {
    const [first, end] = bounds.subarray(Math.floor(row / 512)) as unknown as [bigint, bigint];
    for (const term of termsOf(offsets, terms, row)) {
      for (const position of bloomPositions(termHashes.view()[term] as bigint, hashes, Number(end - first))) {
        setBit(bloom, (Number(first) + position) * 8 + (Math.floor(row / 64) % 8), row % 64);
      }
    }
  }
  return { bloom };
}
