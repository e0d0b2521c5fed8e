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
import type { BenchOptions, BenchResult, Goal, Suite } from '../support/suite.js';
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

/** What one schedule gave for one query or a batch of distinct ones. */
interface Measured {
  title: string;
  items: number;
  batch: number;
  threads: number;
  taken: ReadonlyMap<string, Taken>;
  /** Bytes per second. */
  read: number;
  /** Items that match, by query. */
  counts: readonly number[];
  /** Rows of probed clusters, all queries together. */
  filteredRows: number;
  falsePositives: number;
}

const OWN = 'silverlode';
const SIGNED = 'silverlode, Bloom signatures';

/** All sides in turn; then what they found is compared. */
async function measureAll(
  { exact, bloom, peers, ceilings, options, catalogue: { items } }: Arena,
  queries: readonly FilterQuery[],
  threads: number,
  title: string,
): Promise<Measured> {
  const batch = queries.length;
  const whole = await wholeCatalogue(exact, queries, threads, false);
  const signed = await wholeCatalogue(bloom, queries, threads, true);
  const withPlans = await probe(exact, queries, threads, true);
  const without = await probe(exact, queries, threads, false);
  const sides = [
    ownSide(OWN, () => whole.run()),
    ownSide(SIGNED, () => signed.run()),
    clockedSide('probe', () => withPlans.native('ivf_probe')),
    clockedSide('probe, no filter', () => without.native('ivf_probe')),
    ceilings.side('read', threads),
    ...peers.map((peer) => peer.side({ queries })),
  ];
  const taken = await takeTurns(sides, scheduleOf(options), options.signal);

  const { lo, hi } = (await whole.outputs()) as Record<'lo' | 'hi', Tensor>;
  const counts = countsOf(lo, batch);
  requireCounts(countsOf(hi, batch), [{ name: OWN, result: counts }, ...peers]);
  const { mask } = (await signed.outputs()) as Record<'mask', Tensor>;
  requireCounts(countsOf(mask, batch), [{ name: OWN, result: counts }]);
  const filteredRows = await requireProbed(withPlans, lo, exact.rows);
  for (const output of [lo, hi, mask]) output.dispose();
  for (const call of [whole, signed, withPlans, without]) call.dispose();
  const falsePositives = await falseShare(bloom, queries, counts, threads, items);
  const read = ceilings.rate('read', threads, taken);
  return { title, items, batch, threads, taken, read, counts, filteredRows, falsePositives };
}

const of = ({ taken }: Measured, name: string): Taken => taken.get(name) as Taken;

function plotOf({ batch }: Measured, series: string) {
  const title = `Filter over items, ${batch === 1 ? 'one query' : 'batches'}`;
  return { title, series, x: 'items', y: 'ms/query' };
}

function goalOf({ title }: Measured, against: string, peerMs: number, ms: number, wanted: number): Goal {
  return { id: 'C4', against: `${against}, ${title}`, ratio: peerMs / ms, wanted };
}

/** Masks of the whole catalogue from one of our indexes. */
function wholeResult(
  measured: Measured,
  name: string,
  subject: Subject,
  queries: readonly FilterQuery[],
  more: BenchResult['figures'],
): BenchResult {
  const { title, items, batch, threads, counts, read } = measured;
  const each = of(measured, name);
  const perSecond = (1000 * bytesRead(subject, queries)) / each.medianMs;
  const figures = {
    ...{ items, batch, 'ms/query': each.medianMs / batch },
    matching: counts.reduce((sum, count) => sum + count, 0) / batch / items,
    ...{ 'GB/s': perSecond / 1e9, 'of read': perSecond / read, 'bytes/item': subject.bytes / items },
    ...more,
  };
  return resultOf(`filter ${title}, ${name}`, each, figures, { plot: plotOf(measured, `${name}, threads ${threads}`) });
}

function probedResult(measured: Measured): BenchResult {
  const { title, items, batch, threads, taken, filteredRows } = measured;
  const probed = of(measured, 'probe');
  const medianMs = Math.max(1e-4, probed.medianMs - of(measured, 'probe, no filter').medianMs);
  const name = `filter ${title}, silverlode, only ${PROBES} probed clusters (native time less that of ranking)`;
  const rows = { 'rows filtered': filteredRows / batch, 'with ranking ms': probed.medianMs };
  const figures = { items, batch, 'ms/query': medianMs / batch, ...rows };
  const best = fastest(taken, PEER_NAMES);
  const against = `${best?.name} over all items beside ${PROBES} probed clusters`;
  return resultOf(name, { ...probed, medianMs }, figures, {
    plot: plotOf(measured, `silverlode, probed clusters, threads ${threads}`),
    ...(best && { goal: goalOf(measured, against, best.ms, medianMs, WANTED.probed) }),
  });
}

function peerResult(measured: Measured, { name, bytes = 0 }: PartPeer): BenchResult {
  const { title, items, batch } = measured;
  const each = of(measured, name);
  const figures = { items, batch, 'ms/query': each.medianMs / batch, 'bytes/item': bytes / items };
  return resultOf(`filter ${title}, ${name}`, each, figures, {
    plot: plotOf(measured, name),
    goal: goalOf(measured, `${name} over all items`, each.medianMs, of(measured, OWN).medianMs, WANTED.whole),
  });
}

/** Whole catalogue and probed clusters, with the peers where there is one thread. */
async function* compare(arena: Arena, queries: readonly FilterQuery[], threads: number): AsyncGenerator<BenchResult> {
  const { exact, bloom, catalogue, options } = arena;
  const many = queries.length === 1 ? 'one query' : `batch of ${queries.length}`;
  const title = `${catalogue.items} items, ${many}, ${threads} thread${threads > 1 ? 's' : ''}`;
  if (!title.includes(options.filter)) return;
  const peers = threads === 1 ? arena.peers : [];
  const measured = await measureAll({ ...arena, peers }, queries, threads, title);
  yield wholeResult(measured, OWN, exact, queries, {});
  yield wholeResult(measured, SIGNED, bloom, queries, { 'false positives': measured.falsePositives });
  yield probedResult(measured);
  for (const peer of peers) yield peerResult(measured, peer);
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
    'as cumulative bitmaps (encoded) or one each (unions), what is left in the last bucket by the price column; forward scans over byte, int16 and int32 columns in blocks, the one in C++ hard-coded for this shape of filter, vectorised by ' +
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
