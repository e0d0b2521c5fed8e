// Terms of rows as compressed sparse rows, for the ops that build and read the eligibility index.
import type { Tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { tensorOf } from './op_case.js';

/** How many terms the rows hold. */
export type Load = 'even' | 'none' | 'one huge row' | 'skewed blocks' | 'one each';

export interface TermRows {
  /** int32 [N + 1] */
  offsets: Tensor<'int32'>;
  /** int32: ascending within a row */
  terms: Tensor<'int32'>;
}

function loadOf(load: Load, row: number, mean: number, random: Random): number {
  if (load === 'none') return 0;
  if (load === 'one each') return 1;
  if (load === 'one huge row' && row === 5) return 3000;
  if (load === 'skewed blocks') return [0, random.integer(3), random.integer(40)][Math.floor(row / 512) % 3] as number;
  return random.integer(2 * mean + 1);
}

/** Distinct random terms per row. */
export function makeTermRows(random: Random, rows: number, terms: number, load: Load = 'even', mean = 3): TermRows {
  const offsets = [0];
  const all: number[] = [];
  for (let row = 0; row < rows; row++) {
    const count = Math.min(terms, loadOf(load, row, mean, random));
    const own = new Set<number>();
    while (own.size < count) own.add(random.integer(terms));
    all.push(...[...own].sort((a, b) => a - b));
    offsets.push(all.length);
  }
  return {
    offsets: tensorOf(Int32Array.from(offsets), rows + 1),
    terms: tensorOf(Int32Array.from(all), all.length),
  };
}

/** 64-bit hashes of terms. */
export function makeHashes(random: Random, terms: number): BigInt64Array {
  const words = Uint32Array.from({ length: 2 * terms }, () => random.uint32());
  return new BigInt64Array(words.buffer);
}
