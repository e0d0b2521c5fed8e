// What one more of something costs, the rest at defaults: probes as `publish` tuned them, k 100, no filter, one at a time.
import { K, standardSet, standardSize } from '../data/standard_set.js';
import type { BenchOptions, BenchResult } from '../support/suite.js';
import { type Ask, BATCH, howMany, judged, openSubjects, type Subject, timeOf } from './subject.js';

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const PROBES = [1, 4, 16, 64, 256, 1024];
const DEPTHS = [10, 30, 100, 300, 1000, 10_000];
const ITEMS = [10_000, 30_000, 100_000, 300_000, 1_000_000];
const QUICK = { batches: [1, 8, 64], probes: [1, 16], depths: [10, 100, 1000], items: [2000, 8000] };

/** A point of a curve of cost: its place on the x axis and what is asked there. */
interface Place {
  x: number;
  series: string;
  count?: number;
  asked?: Partial<Ask>;
}

async function* points(
  over: string,
  places: readonly Place[],
  subject: Subject,
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  for (const { x, series, count = 1, asked = {} } of places) {
    const name = `cost over ${over}, ${x}, ${series}`;
    if (!name.includes(options.filter)) continue;
    const request = { k: K, filter: '', ...asked };
    const { times, speed } = await timeOf(subject, count, request, options);
    const perRequest = { 'us/request': (1000 * times.medianMs) / count, 'req/s': speed };
    const figures = { ...(await judged(subject, request)), [over]: x, ...perRequest };
    yield { name, ...times, figures, plot: { title: `Cost over ${over}`, series, x: over, y: 'us/request' } };
  }
}

/** Over batch, probes, k and selectivity, on one set. */
export async function* growth(subject: Subject, options: BenchOptions): AsyncGenerator<BenchResult> {
  const { set, model, threads } = subject;
  const { clusters } = model.describe();
  const chosen = options.quick ? QUICK : { batches: BATCHES, probes: PROBES, depths: DEPTHS };
  const batches = chosen.batches.filter((count) => count <= set.files.queries);
  const atBatches = batches.map((count) => ({ x: count, series: threads, count }));
  yield* points('batch', atBatches, subject, options);
  const efforts = [...chosen.probes.filter((probes) => probes < clusters), clusters];
  yield* points(
    'probes',
    both(efforts, 'no filter', (probes) => ({ probes })),
    subject,
    options,
  );
  const depths = chosen.depths.filter((k) => k <= set.items);
  yield* points(
    'k',
    both(depths, 'no filter', (k) => ({ k })),
    subject,
    options,
  );
  yield* points('eligible', await selectivities(subject), subject, options);
}

/** Places for single requests and for batches. */
function both(values: readonly number[], series: string, asked: (value: number) => Partial<Ask>): Place[] {
  return [1, BATCH].flatMap((count) =>
    values.map((x) => ({ x, series: `${series}, ${howMany(count)}`, count, asked: asked(x) })),
  );
}

async function selectivities({ set }: Subject): Promise<Place[]> {
  const places: Place[] = [{ x: 1, series: 'no filter' }];
  for (const filter of set.files.filters) {
    const share = (await set.mask(filter)).reduce((sum, byte) => sum + byte, 0) / set.items;
    const series = filter.startsWith('c') ? 'eligible by cluster' : 'eligible at random';
    places.push({ x: share, series, asked: { filter } });
  }
  return places;
}

/** Over items: sets of rising size, each at what `publish` tuned for it. */
export async function* sizes(options: BenchOptions): AsyncGenerator<BenchResult> {
  for (const items of options.quick ? QUICK.items : ITEMS) {
    const places = [1, BATCH].map((count) => ({ x: items, series: howMany(count), count }));
    if (!places.some(({ x, series }) => `cost over items, ${x}, ${series}`.includes(options.filter))) continue;
    options.progress?.(`making ${items} items and their exact lists, unless they are kept`);
    const files = await standardSet(standardSize(items, options.quick, options.quick ? 128 : 256));
    const [subject] = await openSubjects(files, 'ip', [options.threads], options.progress);
    try {
      yield* points('items', places, subject as Subject, options);
    } finally {
      await subject?.model.close();
    }
  }
}
