// Sides of a comparison in turn, round after round, so that what else the machine does hits all of them alike.
import { performance } from 'node:perf_hooks';
import type { Times } from '../peers/protocol.js';
import { type BenchOptions, type BenchResult, statistics } from '../support/suite.js';

/** One side: does its work so many times and tells what that took. */
export interface Side {
  name: string;
  run(repeat: number): Promise<Times>;
}

/** What one piece of work took: medians over the rounds. */
export interface Taken {
  medianMs: number;
  spreadMs: number;
  /** Processor time of the whole process. */
  cpuMs: number;
  /** Rounds. */
  samples: number;
}

/** How long a side works in one round, and how many rounds there are. */
export interface Schedule {
  seconds: number;
  rounds: number;
}

const MOST_REPEATS = 10_000;

export function scheduleOf({ quick, repeats }: Pick<BenchOptions, 'quick' | 'repeats'>): Schedule {
  return { seconds: quick ? 0.01 : 0.15, rounds: repeats ?? (quick ? 3 : 7) };
}

/** Every side `rounds` times, after two runs that do not count and say how often it must work to fill its time. */
export async function takeTurns(
  sides: readonly Side[],
  { seconds, rounds }: Schedule,
  signal?: AbortSignal,
): Promise<Map<string, Taken>> {
  const repeats = new Map<Side, number>();
  for (const side of sides) {
    await side.run(1);
    const { wallSeconds } = await side.run(1);
    repeats.set(side, Math.min(MOST_REPEATS, Math.max(1, Math.round(seconds / wallSeconds))));
  }
  const times = new Map<Side, { wall: number[]; cpu: number[] }>(sides.map((side) => [side, { wall: [], cpu: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      signal?.throwIfAborted();
      const repeat = repeats.get(side) as number;
      const { wallSeconds, cpuSeconds } = await side.run(repeat);
      times.get(side)?.wall.push((1000 * wallSeconds) / repeat);
      times.get(side)?.cpu.push((1000 * cpuSeconds) / repeat);
    }
  }
  return new Map(
    [...times].map(([{ name }, { wall, cpu }]) => {
      const { medianMs, spreadMs } = statistics(wall);
      return [name, { medianMs, spreadMs, cpuMs: statistics(cpu).medianMs, samples: rounds }];
    }),
  );
}

/** Work in this process as a side. */
export function ownSide(name: string, work: () => Promise<unknown>): Side {
  return {
    name,
    async run(repeat) {
      const cpu = process.cpuUsage();
      const started = performance.now();
      for (let i = 0; i < repeat; i++) await work();
      const wallSeconds = (performance.now() - started) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      return { wallSeconds, cpuSeconds: (user + system) / 1e6 };
    },
  };
}

/** Work whose own clock counts, such as the native time of one op. */
export function clockedSide(name: string, milliseconds: () => Promise<number>): Side {
  return {
    name,
    async run(repeat) {
      let sum = 0;
      for (let i = 0; i < repeat; i++) sum += await milliseconds();
      return { wallSeconds: sum / 1000, cpuSeconds: sum / 1000 };
    },
  };
}

/** What a side took as a result. */
export function resultOf(
  name: string,
  taken: Taken,
  figures: BenchResult['figures'],
  rest: Pick<BenchResult, 'plot' | 'goal'> = {},
): BenchResult {
  const { medianMs, spreadMs, samples, cpuMs } = taken;
  return { name, medianMs, spreadMs, samples, figures: { ...figures, 'cpu ms': cpuMs }, ...rest };
}

/** The fastest of those whose names are given, among those that took part. */
export function fastest(
  taken: ReadonlyMap<string, Taken>,
  names: readonly string[],
): { name: string; ms: number } | undefined {
  return names
    .flatMap((name) => {
      const ms = taken.get(name)?.medianMs;
      return ms === undefined ? [] : [{ name, ms }];
    })
    .sort((a, b) => a.ms - b.ms)[0];
}

/** One thread and all of them, or as many as were asked for. */
export function threadCounts(threads: number, cores: number): number[] {
  if (threads > 0) return [threads];
  return cores > 1 ? [1, cores] : [1];
}
