import type { Input } from '../cases/balance_clusters.js';

/** Deferred acceptance, a round at a time: all rows without a place ask, and every cluster keeps the best. */
export function balanceClusters({ nearest, scores, clusters, cap }: Input) {
  const [n, m] = nearest.shape as [number, number];
  const choice = new Array<number>(n).fill(0);
  const choiceOf = (row: number, at: number) => (at < m ? (nearest.view()[row * m + at] as number) : -1);
  const loss = (row: number): number => {
    const at = choice[row] as number;
    if (choiceOf(row, at + 1) < 0) return Number.POSITIVE_INFINITY;
    return Math.fround((scores.view()[row * m + at] as number) - (scores.view()[row * m + at + 1] as number));
  };

  const members = Array.from({ length: clusters }, (): number[] => []);
  let asking = Array.from({ length: n }, (_, row) => row);
  const homeless: number[] = [];
  while (asking.length > 0) {
    for (const row of asking) {
      const cluster = choiceOf(row, choice[row] as number);
      (members[cluster] ?? homeless).push(row);
    }
    asking = members.flatMap((rows) => {
      rows.sort((a, b) => (loss(a) === loss(b) ? a - b : loss(b) - loss(a)));
      return rows.splice(cap);
    });
    for (const row of asking) choice[row] = (choice[row] as number) + 1;
  }
  for (const row of homeless.sort((a, b) => a - b)) {
    const least = Math.min(...members.map((rows) => rows.length));
    members.find((rows) => rows.length === least)?.push(row);
  }
  const assigned = new Int32Array(n);
  members.forEach((rows, cluster) => {
    for (const row of rows) assigned[row] = cluster;
  });
  return { clusters: assigned };
}
