// The suite 'filter': seven conditions over six fields, beside bitmaps and forward scans (goal C4).
import { availableParallelism } from 'node:os';
import type { Tensor } from 'silverlode';
import { Ceilings } from '../parts/ceilings.js';
import { ArrayFolder } from '../parts/files.js';
import { PartPeer, partHost } from '../parts/part_peers.js';
import type { FixedCall } from '../parts/recorded.js';
import {
  clockedSide,
  fastest,
  ownSide,
  resultOf,
  scheduleOf,
  type Taken,
  takeTurns,
  threadCounts,
} from '../parts/turns.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { type FilterCatalogue, type FilterQuery, makeFilterCatalogue, makeFilterQueries } from './catalogue.js';
import { bytesRead, countsOf, index, PROBES, probe, requireProbed, type Subject, wholeCatalogue } from './sides.js';

const BATCH = 64;
const WANTED = { whole: 5, probed: 50 };
const PEERS = {
  'CRoaring, encoded ranges': 'roaring-encoded',
  'CRoaring, unions for ranges': 'roaring-unions',
  'forward scan in C++': 'native',
  'forward scan in numpy': 'numpy',
} as const;
const PEER_NAMES = Object.keys(PEERS);

/** Everything about one catalogue. */
interface Arena {
  catalogue: FilterCatalogue;
  exact: Subject;
  bloom: Subject;
  peers: readonly PartPeer[];
  ceilings: Ceilings;
  options: BenchOptions;
}

async function startPeers(catalogue: FilterCatalogue, again: boolean): Promise<PartPeer[]> {
  const host = await partHost('filter', again);
  await using folder = await ArrayFolder.make();
  const { items, language, genre, tags, inStock, year, price } = catalogue;
  for (const [name, column] of Object.entries({ language, genre, tags, in_stock: inStock, year, price }))
    await folder.write(`${name}.bin`, column);
  const prepare = { folder: folder.path, rows: items };
  const peers: PartPeer[] = [];
  for (const [name, side] of Object.entries(PEERS)) peers.push(await PartPeer.start(host, name, side, 1, prepare));
  return peers;
}

/** @throws Error where a side counted something else. */
function requireCounts(ours: readonly number[], others: readonly Pick<PartPeer, 'name' | 'result'>[]): void {
  for (const { name, result } of others) {
    const wrong = ours.findIndex((count, query) => result[query] !== count);
    if (wrong >= 0 || result.length !== ours.length)
      throw new Error(`query ${wrong}: ${name} counted ${result[wrong]} items, silverlode ${ours[wrong]}`);
  }
}

/** All sides over the whole catalogue, then probing, for one query or a batch of distinct ones. */
async function* compare(arena: Arena, queries: readonly FilterQuery[], threads: number): AsyncGenerator<BenchResult> {
  const { exact, bloom, peers, ceilings, options, catalogue } = arena;
  const { items } = catalogue;
  const batch = queries.length;
  const title = `${items} items, ${batch === 1 ? 'one query' : `batch of ${batch}`}, ${threads} thread${threads > 1 ? 's' : ''}`;
  if (!title.includes(options.filter)) return;
  const whole = await wholeCatalogue(exact, queries, threads, false);
  const signed = await wholeCatalogue(bloom, queries, threads, true);
  const [withPlans, without] = [
    await probe(exact, queries, threads, true),
    await probe(exact, queries, threads, false),
  ];
  const own = 'silverlode';
  const own2 = 'silverlode, Bloom signatures';
  const sides = [
    ownSide(own, () => whole.run()),
    ownSide(own2, () => signed.run()),
    clockedSide('probe', () => withPlans.native('ivf_probe')),
    clockedSide('probe, no filter', () => without.native('ivf_probe')),
    ceilings.side('read', threads),
    ...peers.map((peer) => peer.side({ queries })),
  ];
  const taken = await takeTurns(sides, scheduleOf(options), options.signal);
  const read = ceilings.rate('read', threads, taken);
  const of = (name: string) => taken.get(name) as Taken;

  const { lo, hi } = (await whole.outputs()) as Record<'lo' | 'hi', Tensor>;
  const counts = countsOf(lo, batch);
  requireCounts(countsOf(hi, batch), [{ name: own, result: counts }, ...peers]);
  const { mask } = (await signed.outputs()) as Record<'mask', Tensor>;
  requireCounts(countsOf(mask, batch), [{ name: own, result: counts }]);
  const filteredRows = await requireProbed(withPlans, lo, exact.rows);
  const falsePositives = await falseShare(bloom, queries, counts, threads, items);
  for (const output of [lo, hi, mask]) output.dispose();
  for (const call of [whole, signed, withPlans, without]) call.dispose();

  const matching = counts.reduce((sum, count) => sum + count, 0) / batch / items;
  const rate = (bytes: number, each: Taken) => {
    const perSecond = (1000 * bytes) / each.medianMs;
    return { 'GB/s': perSecond / 1e9, 'of read': perSecond / read };
  };
  const figures = { items, batch, matching, 'ms/query': of(own).medianMs / batch };
  const best = fastest(taken, PEER_NAMES);
  const plot = (series: string) => ({
    title: `Filter over items, ${batch === 1 ? 'one query' : 'batches'}`,
    series,
    x: 'items',
    y: 'ms/query',
  });
  const goal = (what: string, ms: number, wanted: number) =>
    best && threads === 1
      ? { goal: { id: 'C4', against: `${best.name}, ${what}, ${title}`, ratio: best.ms / ms, wanted } }
      : {};
  yield resultOf(
    `filter ${title}, ${own}`,
    of(own),
    { ...figures, ...rate(bytesRead(exact, queries), of(own)), 'bytes/item': exact.bytes / items },
    {
      plot: plot(`silverlode, threads ${threads}`),
      ...goal('whole catalogue', of(own).medianMs, WANTED.whole),
    },
  );
  yield resultOf(
    `filter ${title}, ${own2}`,
    of(own2),
    {
      ...figures,
      'ms/query': of(own2).medianMs / batch,
      ...rate(bytesRead(bloom, queries), of(own2)),
      'false positives': falsePositives,
      'bytes/item': bloom.bytes / items,
    },
    { plot: plot(`silverlode, Bloom, threads ${threads}`) },
  );
  const probed = of('probe');
  const alone = Math.max(1e-4, probed.medianMs - of('probe, no filter').medianMs);
  yield resultOf(
    `filter ${title}, silverlode, only ${PROBES} probed clusters (native time less that of ranking)`,
    { ...probed, medianMs: alone },
    {
      items,
      batch,
      'ms/query': alone / batch,
      'rows filtered': filteredRows / batch,
      'with ranking ms': probed.medianMs,
    },
    {
      plot: plot(`silverlode, probed clusters, threads ${threads}`),
      ...goal(`${PROBES} probed clusters`, alone, WANTED.probed),
    },
  );
  if (threads > 1) return;
  for (const peer of peers) {
    const each = of(peer.name);
    yield resultOf(
      `filter ${title}, ${peer.name}`,
      each,
      { items, batch, 'ms/query': each.medianMs / batch, 'bytes/item': (peer.bytes ?? 0) / items },
      {
        plot: plot(peer.name),
      },
    );
  }
}

/** Items that a Bloom signature cannot tell from matching ones, as a share of those that do not match. */
async function falseShare(
  bloom: Subject,
  queries: readonly FilterQuery[],
  counts: readonly number[],
  threads: number,
  items: number,
): Promise<number> {
  const bounds: FixedCall<string> = await wholeCatalogue(bloom, queries, threads, false);
  const { lo, hi } = (await bounds.outputs()) as Record<'lo' | 'hi', Tensor>;
  const most = countsOf(hi, queries.length);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  for (const output of [lo, hi]) output.dispose();
  bounds.dispose();
  return (sum(most) - sum(counts)) / (queries.length * items - sum(counts));
}

const suite: Suite = {
  note:
    'A language, one of two genres, not a tag, in stock, a range of years and a price limit: 7 conditions over 6 fields; 64 different queries a batch. ' +
    'Silverlode: whole calls of a program with filter_eval (exact slices and columns), or filter_eval and filter_check where all strings share the Bloom ' +
    'signature; masks of all queries come back. Probed clusters: 32 of the clusters of 1 024 rows each, exact eligibility, native time of ivf_probe less that of the ' +
    'same call without a filter. Peers (--peers) on one thread, query by query: CRoaring with a bitmap per value, run-optimised, smallest set first; years and 256 price buckets ' +
    'as cumulative bitmaps (encoded) or one each (unions), the rest of a bucket from items sorted by price; forward scans over byte, int16 and int32 columns in blocks, vectorised by ' +
    'the compiler or by numpy. All sides must count the same items. Bytes: slices and columns that the plans read.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const sizes = options.items ? [options.items] : options.quick ? [50_000] : [1_000_000, 10_000_000];
    const queries = makeFilterQueries(BATCH);
    await using ceilings = await Ceilings.start();
    for (const items of sizes) {
      options.progress?.(`${items} items: indexes${options.peers ? ' and bitmaps' : ''}`);
      const catalogue = makeFilterCatalogue(items);
      const exact = await index(catalogue, 0);
      const bloom = await index(catalogue, 2);
      const peers = options.peers ? await startPeers(catalogue, options.install === true) : [];
      try {
        const arena = { catalogue, exact, bloom, peers, ceilings, options };
        for (const threads of threadCounts(options.threads, availableParallelism()))
          for (const count of [1, BATCH]) yield* compare(arena, queries.slice(0, count), threads);
      } finally {
        await Promise.all(peers.map((peer) => peer.stop()));
      }
    }
  },
};

export default suite;
