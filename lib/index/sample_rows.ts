import type { Random } from '../data/random.js';
import { inPieces } from './progress.js';

/**
 * Rows drawn without replacement, ascending, every set of them equally likely: selection sampling (Knuth, The Art of Computer
 * Programming, volume 2, section 3.4.2, algorithm S), which needs neither a shuffle nor a sort.
 *
 * @param count At most `rows`.
 */
export async function sampleRows(rows: number, count: number, random: Random): Promise<Int32Array> {
  const drawn = new Int32Array(count);
  let taken = 0;
  await inPieces(rows, (begin, end) => {
    for (let row = begin; row < end && taken < count; row++) {
      if ((rows - row) * random.uniform() < count - taken) drawn[taken++] = row;
    }
  });
  return drawn;
}
