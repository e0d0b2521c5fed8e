import type { Input } from '../cases/bloom_probe.js';
import { bitReader } from './bits.js';
import { bloomPositions, setBit } from './bloom.js';

/** A row is hit when it has the bit of every position of the term; a block without positions holds nothing. */
export function bloomProbe({ bloom, layout, termHashes, hashes }: Input) {
  const bounds = layout.view();
  const blocks = bounds.length - 1;
  const bit = bitReader(bloom.view());
  const hits = new BigInt64Array(termHashes.view().length * blocks * 8);
  termHashes.view().forEach((hash, term) => {
    for (let block = 0; block < blocks; block++) {
      const first = Number(bounds[block]);
      const width = Number(bounds[block + 1]) - first;
      const positions = bloomPositions(hash, hashes, width);
      for (let row = 0; row < 512; row++) {
        const hit = width > 0 && positions.every((position) => bit((first + position) * 512 + row));
        if (hit) setBit(hits, (term * blocks + block) * 8 + Math.floor(row / 64), row % 64);
      }
    }
  });
  return { hits };
}
