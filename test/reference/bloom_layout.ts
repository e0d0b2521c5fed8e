import type { Input } from '../cases/bloom_layout.js';

/** Widths by the 95th percentile of the loads of a block's rows that have any; prefix sums. */
export function bloomLayout({ offsets, bitsPerTerm = 12 }: Input) {
  const starts = offsets.view();
  const layout = [0n];
  for (let block = 0; block < (starts.length - 1) / 512; block++) {
    const loads = Array.from({ length: 512 }, (_, i) => {
      const row = block * 512 + i;
      return (starts[row + 1] as number) - (starts[row] as number);
    });
    const held = loads.filter((load) => load > 0).sort((a, b) => a - b);
    const load = held[Math.ceil((held.length * 95) / 100) - 1];
    const width = load === undefined ? 0 : Math.min(65536, Math.max(16, Math.ceil(bitsPerTerm * load)));
    layout.push((layout.at(-1) as bigint) + BigInt(width));
  }
  return { layout: BigInt64Array.from(layout) };
}
