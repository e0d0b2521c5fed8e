import type { Input } from '../cases/top_k.js';
import { byRank, plainScore } from './order.js';

/** Every row sorted in full. */
export function topK({ scores, payload, k }: Input) {
  const n = scores.shape.at(-1) as number;
  const rows = scores.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const best = {
    scores: new Float32Array(rows * k).fill(Number.NEGATIVE_INFINITY),
    ids: new Int32Array(rows * k).fill(-1),
    positions: new Int32Array(rows * k).fill(-1),
  };
  for (let row = 0; row < rows; row++) {
    Array.from({ length: n }, (_, position) => {
      const at = row * n + position;
      return { score: scores.view()[at] as number, id: payload ? (payload.view()[at] as number) : position, position };
    })
      .filter(({ id }) => id >= 0)
      .sort((a, b) => byRank(a, b) || a.position - b.position)
      .slice(0, k)
      .forEach(({ score, id, position }, rank) => {
        best.scores[row * k + rank] = plainScore(score);
        best.ids[row * k + rank] = id;
        best.positions[row * k + rank] = position;
      });
  }
  return best;
}
