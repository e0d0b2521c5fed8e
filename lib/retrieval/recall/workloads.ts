// What calibration asks: lists of several lengths, with the nearest items excluded, under random filters that leave many or few
// items, and under filters that go with the query or against it.
import { Random } from '../../data/random.js';
import { SilverlodeError } from '../../errors.js';
import { FilterIndex } from '../../index/filter_index.js';
import type { IvfIndex } from '../../index/ivf_index.js';
import { inPieces, inTurns } from '../../index/progress.js';
import type { Learned } from '../../index/recall/learn.js';
import type { SampleList } from '../../index/recall/tail.js';
import type { Answer } from '../answer.js';
import type { RetrieveRequest } from '../types.js';
import { spare } from './spare.js';

/** One kind of request. */
export interface Workload {
  k: number;
  /** Not all items are open to it. */
  narrowed: boolean;
  /** Nearest items that are excluded. */
  seen?: number;
  filter?(query: Float32Array): string;
  /** The filter keeps so few items that true lists are made of all of them: those of the sample are too short. */
  rare?: boolean;
}

/** What a share did for a workload. */
export interface Measured {
  /** Mean over queries. */
  recall: number;
  /** Looked at, per query. */
  clusters: number[];
}

const MAX_BATCH = 64;
const PLAIN = 100;
/** Share of the random filter, and of those along a dimension. */
const DRAWN = 0.1;
const SIDE = 0.2;
/** The random filter that keeps few items: this share, but enough for a list and not more than are compared in no time. */
const RARE = 0.02;
const RARE_ITEMS = [400, 20_000] as const;
/** Rows that dimensions and their quantiles are looked for in. */
const SAMPLE_ROWS = 4096;
/** A true list shorter than this says nothing. */
const SHORTEST = 10;

export class Workloads {
  private constructor(
    private readonly learned: Learned,
    private readonly dims: number,
    /** Attributes that the filters of the workloads ask for. */
    readonly eligible: FilterIndex,
    private readonly holds: ReadonlyMap<string, readonly boolean[]>,
    /** By rising length those that all items are open to, then the others. */
    readonly all: readonly Workload[],
    private readonly rescored: boolean,
    /** True lists under the filter that keeps few items, by query. */
    private readonly rareLists: readonly SampleList[],
  ) {}

  /** What most requests are like. */
  get plain(): Workload {
    return this.all.find(({ k, narrowed }) => k === PLAIN && !narrowed) as Workload;
  }

  /** Entries of the list that is asked for. */
  lengthOf({ k, seen = 0 }: Workload): number {
    return this.rescored ? k + spare(k, seen) : k;
  }

  static async over(
    index: IvfIndex,
    learned: Learned,
    { seed, rescored }: { seed: number; rescored: boolean },
  ): Promise<Workloads> {
    const { items } = index.parts;
    const vectors = learned.rows.vectors;
    const dims = learned.rows.dims;
    const random = new Random(seed);
    const { dim, low, high } = await widestDimension(vectors, dims);
    const holds = new Map<string, boolean[]>();
    const column = async (name: string, value: (item: number) => boolean) => {
      const values = new Array<boolean>(items);
      await inPieces(items, (begin, end) => {
        for (let item = begin; item < end; item++) values[item] = value(item);
      });
      holds.set(name, values);
    };
    await column('drawn', () => random.chance(DRAWN));
    await column('top', (item) => (vectors[item * dims + dim] as number) > high);
    await column('low', (item) => (vectors[item * dims + dim] as number) < low);
    const few = Math.min(Math.max(RARE * items, RARE_ITEMS[0]), RARE_ITEMS[1]) / items;
    await column('rare', () => random.chance(few));
    const rare = Int32Array.from(holds.get('rare') as boolean[], Number);
    // Asked for as a range, of which nobody knows how many items it keeps.
    const eligible = await FilterIndex.build(
      { ...Object.fromEntries(holds), rare },
      {
        ordinals: index.ordinals.view() as Int32Array,
        items,
      },
    );
    // The side that a query is on, or the other one.
    const along = (own: boolean) => (query: Float32Array) =>
      (query[dim] as number) > 0 === own ? 'top:true' : 'low:true';
    const workloads: Workload[] = [
      { k: 10, narrowed: false },
      { k: PLAIN, narrowed: false },
      { k: 1000, narrowed: false },
      { k: 100, narrowed: true, seen: 300 },
      { k: 100, narrowed: true, filter: () => 'drawn:true' },
      { k: 100, narrowed: true, filter: () => 'rare:>0', rare: true },
      { k: 100, narrowed: true, filter: along(true) },
      { k: 100, narrowed: true, filter: along(false) },
    ];
    const rareItems = Int32Array.from(rare.keys()).filter((item) => rare[item] === 1);
    const rareLists = await learned.listsAmong(rareItems, PLAIN);
    return new Workloads(learned, dims, eligible, holds, workloads, rescored, rareLists);
  }

  /** @param share Of its list that a request may expect to miss: models of calibration take it as 1 minus the recall; 0 scans all. */
  async measure(
    asked: Workload,
    share: number,
    answer: (requests: readonly RetrieveRequest[]) => Promise<Answer[]>,
  ): Promise<Measured> {
    const { queries } = this.learned;
    const shares: number[] = [];
    const clusters: number[] = [];
    for (let first = 0; first < queries.count; first += MAX_BATCH) {
      const some = Array.from({ length: Math.min(MAX_BATCH, queries.count - first) }, (_, i) => first + i);
      const answers = await answer(some.map((query) => this.#request(asked, query, share)));
      answers.forEach((result, i) => {
        if (result instanceof SilverlodeError) throw result;
        const found = this.#shareFound(asked, some[i] as number, result.ids as number[]);
        if (found === undefined) return;
        shares.push(found);
        clusters.push(result.stats.probedClusters);
      });
    }
    const recall = shares.length === 0 ? 1 : shares.reduce((sum, found) => sum + found, 0) / shares.length;
    return { recall, clusters };
  }

  #query(query: number): Float32Array {
    return this.learned.queries.vectors.subarray(query * this.dims, (query + 1) * this.dims);
  }

  #request(asked: Workload, query: number, share: number): RetrieveRequest {
    const embedding = this.#query(query);
    // One more than is looked at, since the item that the query is may be among them.
    const request: RetrieveRequest = { embedding, k: this.lengthOf(asked) + 1, recall: 1 - share };
    if (asked.filter) request.filter = asked.filter(embedding);
    if (asked.seen) request.exclude = this.learned.lists[query]?.items.subarray(0, asked.seen);
    return request;
  }

  #shareFound(asked: Workload, query: number, ids: readonly number[]): number | undefined {
    const { k } = asked;
    const { queries, itemScore } = this.learned;
    const truth = this.#truth(asked, query);
    if (truth.length < Math.min(k, SHORTEST)) return undefined;
    const among = new Set(truth);
    const least = itemScore(query, truth.at(-1) as number);
    const found = ids
      .filter((id) => id !== queries.items[query])
      .slice(0, this.rescored || truth.length < k ? ids.length : k);
    const hits = found.filter((id) => among.has(id) || itemScore(query, id) >= least).length;
    return Math.min(1, hits / truth.length);
  }

  /** The best items that may come back. */
  #truth({ k, seen = 0, filter, rare }: Workload, query: number): Int32Array {
    if (rare) return (this.rareLists[query] as SampleList).items.subarray(0, k);
    const holds = filter && this.holds.get(filter(this.#query(query)).split(':')[0] as string);
    const all = (this.learned.lists[query] as SampleList).items.subarray(seen);
    return (holds ? all.filter((item) => holds[item]) : all).subarray(0, k);
  }
}

/** The dimension of highest variance, with the values that bound its outer fifths. */
async function widestDimension(vectors: Float32Array, dims: number) {
  const items = vectors.length / dims;
  const step = Math.max(1, Math.floor(items / SAMPLE_ROWS));
  let widest = { dim: 0, variance: -1, values: new Float64Array(0) };
  await inTurns(dims, (dim) => {
    const values = new Float64Array(Math.ceil(items / step));
    for (let i = 0; i < values.length; i++) values[i] = vectors[i * step * dims + dim] as number;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    if (variance > widest.variance) widest = { dim, variance, values };
  });
  const sorted = widest.values.sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  return { dim: widest.dim, low: at(SIDE), high: at(1 - SIDE) };
}
