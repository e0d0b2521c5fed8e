// C1 to C3: all engines in one schedule, round after round, and their speeds at equal recall.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { K, recallOf, type SetFiles, truthOf } from '../data/standard_set.js';
import type { BenchResult } from '../support/suite.js';
import type { Competitor } from './arena.js';
import { bestAt, type Curve, median, paretoFront, quantile, speedAt } from './curves.js';
import { BATCH, type Plan, type Scenario } from './plan.js';
import { type Effort, EngineError, type Ran } from './protocol.js';

/** Efforts beyond these recalls are not measured: curves cover 0.90 to 0.995, filtered ones 0.95 to 0.99. */
const SPAN = { plain: [0.9, 0.995], filtered: [0.95, 0.99] } as const;
/** Queries that recall is measured on; filtered ones of some engines take 50 ms each. */
const RECALL_QUERIES = { plain: 256, filtered: 128 } as const;
/** Where more effort finds no more than this, it is spent. */
const LEAST_GAIN = 2e-4;
/** Of a run, however slow; fewer than a batch where the engine takes longer than planned for one. */
const LEAST_QUERIES = 8;
/** Speeds differ by far; less may be another order one at a time than in the batches that recall was measured in. */
const CLEARLY = 1.5;
/** An engine that is this slow at finding its recall is not searched any further. */
const GIVE_UP_SECONDS = 20;

/** One effort of one engine under one filter. */
interface Point {
  competitor: Competitor;
  effort: Effort;
  recall: number;
  /** Queries per second of the run that recall was measured in, all threads. */
  speed: number;
}

/** A point in a scenario with what its runs took. */
interface Entry {
  scenario: Scenario;
  point: Point;
  queries: number;
  runs: Ran[];
}

/** An engine that failed; the others go on. */
export type Failure = (competitor: Competitor, error: EngineError) => void;

/** Recall of one engine under one filter, sweep by sweep, each by rising effort until the span is covered or more finds no more. */
async function sweep(competitor: Competitor, filter: string, set: SetFiles, plan: Plan): Promise<Point[]> {
  const kind = filter === '' ? 'plain' : 'filtered';
  const [least, most] = SPAN[kind];
  const points: Point[] = [];
  for (const efforts of competitor.contestant.sweeps(filter)) {
    const rising: Point[] = [];
    for (const effort of efforts) {
      const { point, seconds } = await probe(competitor, filter, effort, RECALL_QUERIES[kind], set, plan);
      if (point.recall - (rising.at(-1)?.recall ?? -1) < LEAST_GAIN) break;
      rising.push(point);
      if (point.recall >= most || seconds > GIVE_UP_SECONDS) break;
    }
    points.push(...covering(rising, least));
  }
  return worthMeasuring(points);
}

/** Without points that another one of the same engine beats by far: they would only cost time. */
function worthMeasuring(points: readonly Point[]): Point[] {
  const beats = (a: Point, b: Point) => a.recall >= b.recall && a.speed > CLEARLY * b.speed;
  return points.filter((point) => !points.some((other) => beats(other, point)));
}

/** What one effort finds, asked in batches on all threads. */
async function probe(
  competitor: Competitor,
  filter: string,
  effort: Effort,
  queries: number,
  set: SetFiles,
  { threads }: Plan,
): Promise<{ point: Point; seconds: number }> {
  const { contestant, engine } = competitor;
  const idsFile = join(set.folder, `ids-${contestant.id}.i32`);
  const command = { mode: 'batch', batch: BATCH, threads, filter, effort, k: K, queries, idsFile } as const;
  const { wallSeconds } = await engine.ask('run', command, 600);
  const bytes = await readFile(idsFile);
  const found = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const recall = recallOf(found, await truthOf(set, filter), queries);
  return { point: { competitor, effort, recall, speed: queries / wallSeconds }, seconds: wallSeconds };
}

/** From the last point below the least recall on; the last one where none reaches it. */
function covering(rising: readonly Point[], least: number): Point[] {
  const first = rising.findIndex(({ recall }) => recall >= least);
  return first < 0 ? rising.slice(-1) : rising.slice(Math.max(0, first - 1));
}

/** Queries of a run, so that it takes about the planned time. */
function queriesFor({ speed, competitor }: Point, { mode, threads }: Scenario, plan: Plan): number {
  const share = competitor.contestant.threads ? threads / plan.threads : 1;
  const fitting = Math.max(LEAST_QUERIES, plan.runSeconds * speed * share);
  if (mode === 'single' || fitting < BATCH || !competitor.contestant.batches) return Math.round(Math.min(256, fitting));
  return BATCH * Math.round(Math.min(16, fitting / BATCH));
}

async function runOnce({ scenario, point, queries, runs }: Entry): Promise<void> {
  const { mode, threads, filter } = scenario;
  const batch = mode === 'single' ? 1 : BATCH;
  const command = { mode, batch, threads, filter, effort: point.effort, k: K, queries };
  runs.push(await point.competitor.engine.ask('run', command, 600));
}

/** Everything of C1 to C3; `failed` hears of engines that gave up, which then take no further part. */
export async function* compareSearch(
  competitors: readonly Competitor[],
  wanted: readonly Scenario[],
  set: SetFiles,
  plan: Plan,
  failed: Failure,
): AsyncGenerator<BenchResult> {
  const out = new Set<Competitor>();
  const guard = async (competitor: Competitor, work: () => Promise<void>): Promise<void> => {
    if (out.has(competitor)) return;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      out.add(competitor);
      failed(competitor, error);
    }
  };

  const points = new Map<string, Point[]>();
  for (const filter of new Set(wanted.map((scenario) => scenario.filter))) {
    points.set(filter, []);
    for (const competitor of competitors) {
      await guard(competitor, async () => {
        points.get(filter)?.push(...(await sweep(competitor, filter, set, plan)));
      });
    }
  }
  const entries: Entry[] = wanted.flatMap((scenario) =>
    (points.get(scenario.filter) ?? [])
      .filter(({ competitor }) => scenario.threads === 1 || competitor.contestant.threads)
      .map((point) => ({ scenario, point, queries: queriesFor(point, scenario, plan), runs: [] })),
  );
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    console.error(`round ${repeat + 1} of ${plan.repeats}: ${entries.length} runs`);
    for (const entry of entries) await guard(entry.point.competitor, () => runOnce(entry));
  }
  for (const scenario of wanted) {
    const mine = entries.filter((entry) => entry.scenario === scenario && !out.has(entry.point.competitor));
    yield* mine.map(describe);
    yield* compare(scenario, mine);
  }
}

const wallSpeed = ({ runs, queries }: Entry): number => queries / median(runs.map((run) => run.wallSeconds));
const cpuSpeed = ({ runs, queries }: Entry): number => queries / median(runs.map((run) => run.cpuSeconds));

function describe(entry: Entry): BenchResult {
  const { scenario, point, runs } = entry;
  const { contestant } = point.competitor;
  const calls = runs.flatMap((run) => run.calls);
  const effort = Object.entries(point.effort).map(([name, value]) => `${name} ${value}`);
  return {
    name: [`${scenario.title}: ${contestant.name}`, ...effort].join(', '),
    medianMs: median(calls),
    p99Ms: quantile(calls, 0.99),
    samples: runs.length,
    figures: {
      'recall@100': point.recall,
      'req/s': wallSpeed(entry),
      'cpu us': 1e6 / cpuSpeed(entry),
      queries: entry.queries,
      threads: scenario.threads,
    },
    plot: { title: `Recall and speed: ${scenario.title}`, series: contestant.name, x: 'recall@100', y: 'req/s' },
  };
}

/**
 * Silverlode beside the best peer at each recall, by wall and by processor time; and who never gets there. Those aside are compared
 * apart and settle no goal.
 */
function* compare({ title, goal, recalls }: Scenario, entries: readonly Entry[]): Generator<BenchResult> {
  const names = [...new Set(entries.map(({ point }) => point.competitor.contestant.name))];
  const curves = (speed: (entry: Entry) => number) =>
    names.map((name) => ({
      name,
      points: entries
        .filter(({ point }) => point.competitor.contestant.name === name)
        .map((entry) => ({ recall: entry.point.recall, speed: speed(entry) })),
    }));
  const asideOf = new Map(
    entries.map(({ point }) => [point.competitor.contestant.name, point.competitor.contestant.aside]),
  );
  const byWall = curves(wallSpeed);
  const byCpu = curves(cpuSpeed);
  for (const recall of recalls) {
    for (const { name, points } of byWall) {
      if (speedAt(points, recall) !== undefined) continue;
      const most = paretoFront(points).at(-1)?.recall ?? 0;
      yield {
        name: `${title}: ${name} never reaches recall ${recall}`,
        medianMs: 0,
        samples: 0,
        figures: { 'recall@100': most },
      };
    }
    const rounds = Math.min(...entries.map(({ runs }) => runs.length));
    for (const aside of [undefined, 'given', 'twin'] as const) {
      const among = (all: readonly Curve[]) => all.slice(1).filter(({ name }) => asideOf.get(name) === aside);
      const [own] = byWall;
      const speed = speedAt(own?.points ?? [], recall);
      const peer = bestAt(among(byWall), recall);
      if (own?.name !== 'silverlode' || speed === undefined || peer === undefined) continue;
      const cpuOwn = speedAt(byCpu[0]?.points ?? [], recall) as number;
      const cpuPeer = bestAt(among(byCpu), recall)?.speed as number;
      const ratio = speed / peer.speed;
      const against = `${peer.name}, ${title}, recall ${recall}`;
      yield {
        name: `${title}: at recall ${recall} beside ${peer.name}`,
        medianMs: 1000 / speed,
        samples: rounds,
        figures: { 'req/s': speed, 'peer req/s': peer.speed, ratio, 'cpu ratio': cpuOwn / cpuPeer },
        goal:
          aside !== undefined || goal === undefined ? undefined : { id: goal.id, against, ratio, wanted: goal.wanted },
      };
    }
  }
}
