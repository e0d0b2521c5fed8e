import type { Input } from '../cases/ivf_search.js';
import { type ClusterRows, clusterRowsReader } from './cluster_rows.js';
import { int8Score, type Quantized, quantizedRow, squaredNorm } from './metric.js';
import { byRank, plainScore, type Ranked } from './order.js';

const { fround } = Math;

/** How the members of a cluster are expected to score. */
interface Expected {
  score: number;
  spread: number;
  members: number;
}

/** The walk of one head through the clusters. */
interface Walk {
  seen: number[];
  listed: number[];
  best: Ranked[];
  misses: number;
}

/** Each head walks by itself: it sorts all it has found after every round, and estimates over all clusters. */
export function ivfSearch(input: Input) {
  const { queries, index, requests, filter, k, offsets } = input;
  const [batch, heads] = queries.quantized.shape as [number, number, number];
  const n = index.centroids.shape[0] as number;
  const rowsOf = clusterRowsReader(index, requests, filter);
  const found = {
    scores: new Float32Array(batch * heads * k).fill(Number.NEGATIVE_INFINITY),
    ordinals: new Int32Array(batch * heads * k).fill(-1),
    counts: new Int32Array(batch * heads),
    stats: new BigInt64Array(batch * 5),
    misses: new Float32Array(batch),
  };
  for (let request = 0; request < batch; request++) {
    const clusterRows = Array.from({ length: n }, (_, cluster) => rowsOf(request, cluster));
    const walks = Array.from({ length: heads }, (_, head) => walk(input, request, head, clusterRows));
    walks.forEach(({ best, listed }, head) => {
      const query = request * heads + head;
      found.counts[query] = listed.length;
      best.forEach(({ score, id }, rank) => {
        found.scores[query * k + rank] = plainScore(score) + (offsets?.view()[query] ?? 0);
        found.ordinals[query * k + rank] = id;
      });
    });
    const sum = (clusters: Iterable<number>, of: (rows: ClusterRows) => number) =>
      [...clusters].reduce((total, cluster) => total + of(clusterRows[cluster] as ClusterRows), 0);
    const seen = new Set(walks.flatMap((each) => each.seen));
    const listed = new Set(walks.flatMap((each) => each.listed));
    const filtered = (requests.planIndex.view()[request] as number) < 0 ? [] : seen;
    const scores = (requests.limits.view()[request] as number) > 0;
    const stats = [
      listed.size,
      sum(listed, ({ eligible }) => eligible.length),
      sum(filtered, ({ live }) => live),
      sum(filtered, ({ doubtful }) => doubtful),
      scores ? walks.reduce((total, each) => total + sum(each.listed, ({ eligible }) => eligible.length), 0) : 0,
    ];
    found.stats.set(stats.map(BigInt), request * 5);
    found.misses[request] = walks.reduce((total, { misses }) => total + misses, 0) / heads;
  }
  return found;
}

function walk(input: Input, request: number, head: number, clusterRows: readonly ClusterRows[]): Walk {
  const { queries, requests, k } = input;
  const [, heads, dim] = queries.quantized.shape as [number, number, number];
  const query = quantizedRow(queries.quantized.view(), queries.scales.view(), dim, request * heads + head);
  const expected = clusterRows.map((_, cluster) => expectedOf(input, query, cluster));
  const nearest = expected
    .map(({ score, spread }, id) => ({ score: fround(score + fround(2 * spread)), id }))
    .sort(byRank)
    .map(({ id }) => id);
  const limit = Math.min(k, Math.max(0, requests.limits.view()[request] as number));
  const allowed = requests.allowedMisses.view()[request] as number;
  return allowed >= 0
    ? walkInRounds(input, request, query, { nearest, expected, clusterRows, limit, allowed })
    : walkByCount(input, request, query, { nearest, clusterRows, limit });
}

/** As ivf_probe.h says. */
function walkByCount(
  input: Input,
  request: number,
  query: Quantized,
  { nearest, clusterRows, limit }: { nearest: number[]; clusterRows: readonly ClusterRows[]; limit: number },
): Walk {
  const probes = Math.min(nearest.length, Math.max(0, input.requests.probes.view()[request] as number));
  const wanted = probes === 0 ? Number.POSITIVE_INFINITY : (input.requests.minCandidates.view()[request] as number);
  const seen: number[] = [];
  const listed: number[] = [];
  let eligible = 0;
  for (const cluster of nearest) {
    if (seen.length >= probes && eligible >= wanted) break;
    const count = (clusterRows[cluster] as ClusterRows).eligible.length;
    if (seen.length < probes || count > 0) listed.push(cluster);
    seen.push(cluster);
    eligible += count;
  }
  return { seen, listed, best: bestOf(input, query, rowsIn(listed, clusterRows), limit), misses: 0 };
}

function walkInRounds(
  input: Input,
  request: number,
  query: Quantized,
  {
    nearest,
    expected,
    clusterRows,
    limit,
    allowed,
  }: { nearest: number[]; expected: Expected[]; clusterRows: readonly ClusterRows[]; limit: number; allowed: number },
): Walk {
  const countIn = (clusters: number[]) => rowsIn(clusters, clusterRows).length;
  const membersIn = (clusters: number[]) => clusters.reduce((sum, c) => sum + (expected[c] as Expected).members, 0);
  const n = nearest.length;
  for (let before = 0; ; ) {
    const end = Math.min(n, before === 0 ? input.firstRound : before + Math.max(1, Math.floor(before / 3)));
    const seen = nearest.slice(0, end);
    const listed = seen.filter((cluster) => (clusterRows[cluster] as ClusterRows).eligible.length > 0);
    const best = bestOf(input, query, rowsIn(listed, clusterRows), limit);
    if (end === n) return { seen, listed, best, misses: 0 };
    if (limit === 0) return { seen, listed, best, misses: 0 };
    if (best.length === limit) {
      const round = nearest.slice(before, end);
      const threshold = distanceOf(input, (best.at(-1) as Ranked).score);
      const above = (cluster: number, rows: number) =>
        BigInt(rows) * BigInt(input.index.tail.view()[tailEntry(threshold, expected[cluster] as Expected)] as number);
      const sum = (clusters: number[], rows: (cluster: number) => number) =>
        Number(
          BigInt.asIntN(
            64,
            clusters.reduce((total, cluster) => total + above(cluster, rows(cluster)), 0n),
          ),
        );
      const isFiltered = (input.requests.planIndex.view()[request] as number) >= 0;
      const misses = expectedMisses({
        inside: sum(seen, (cluster) => countIn([cluster])) / 2 ** 20,
        outside: sum(nearest.slice(end), (cluster) => membersIn([cluster])) / 2 ** 20,
        wanted: limit,
        share: isFiltered
          ? Math.max(shareOf(countIn(seen), membersIn(seen)), shareOf(countIn(round), membersIn(round)))
          : 1,
      });
      const isEnough = countIn(seen) >= (input.requests.minCandidates.view()[request] as number);
      if (isEnough && misses <= allowed) return { seen, listed, best, misses };
    }
    before = end;
  }
}

function shareOf(eligible: number, members: number): number {
  return Math.min(1, eligible / Math.max(1, members));
}

/** Rows of the true list that are in none of the clusters seen. */
function expectedMisses(known: { inside: number; outside: number; wanted: number; share: number }): number {
  const { inside, outside, wanted, share } = known;
  const surprise = wanted > 8 * inside ? 8 : Math.max(1, wanted / inside);
  return outside * surprise * share;
}

/** Entry of the table of tails for a threshold. */
function tailEntry(threshold: number, { score, spread }: Expected): number {
  // Members that all score alike are no losses where they are equal to the threshold.
  const least = fround(fround(Math.abs(score) * fround(1e-6)) + fround(1e-20));
  const expected = spread > 0 ? score : fround(score - least);
  const steepness = Math.min(fround(8 / spread), fround(1e30));
  const scaled = fround(fround(threshold - expected) * (Number.isNaN(steepness) ? fround(1e30) : steepness));
  const entry = fround(scaled + 32);
  return Number.isNaN(entry) ? 0 : Math.trunc(Math.min(255, Math.max(0, entry)));
}

function expectedOf({ index, metric }: Input, query: Quantized, cluster: number): Expected {
  const [gain, shift, variance, biasVariance, rows] = [0, 1, 2, 3, 4].map((row) => {
    return index.clusterStats.view()[row * (index.clusterStats.shape[1] as number) + cluster];
  }) as [number, number, number, number, number];
  const centroid = quantizedRow(index.centroids.view(), index.centroidScales.view(), query.values.length, cluster);
  const score = int8Score(query, centroid, index.centroidBias?.view()[cluster], metric);
  const squares = metric === 'l2' ? variance : fround(fround(variance * squaredNorm(query)) + biasVariance);
  return {
    score: distanceOf({ metric }, fround(fround(gain * score) + shift)),
    spread: fround(Math.sqrt(squares)),
    members: rows >= 0 && rows < 2 ** 31 ? Math.trunc(rows) : 0,
  };
}

/** Minus the distance of minus its square. */
function distanceOf({ metric }: Pick<Input, 'metric'>, score: number): number {
  return metric === 'l2' ? -fround(Math.sqrt(Math.max(0, -score))) : score;
}

function rowsIn(clusters: readonly number[], clusterRows: readonly ClusterRows[]): number[] {
  return clusters.flatMap((cluster) => (clusterRows[cluster] as ClusterRows).eligible);
}

function bestOf({ index, metric }: Input, query: Quantized, rows: readonly number[], limit: number): Ranked[] {
  if (limit === 0) return [];
  return rows
    .map((row) => {
      const values = quantizedRow(index.rows.view(), index.rowScales.view(), query.values.length, row);
      const score = int8Score(query, values, index.rowBias?.view()[row], metric);
      return { score, id: index.ordinals.view()[row] as number };
    })
    .sort(byRank)
    .slice(0, limit);
}
