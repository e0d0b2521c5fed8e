// Load on a side: answers to compare with the truth, then throughput and latency at rising concurrency.
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import type { Side } from './sides.js';

const HEADERS = { 'content-type': 'application/json' };

export interface Answers {
  /** The list that each request gets. */
  lists: number[][];
  /** Median milliseconds of each hop, when the side tells. */
  hops: number[];
}

/** Every request once, one after another. */
export async function answers({ url, body }: Side, count: number): Promise<Answers> {
  const lists: number[][] = [];
  const times: number[][] = [];
  for (let i = 0; i < count; i++) {
    const response = await fetch(url, { method: 'POST', headers: HEADERS, body: body(i) });
    const answer = (await response.json()) as { ids: number[]; times?: number[] };
    if (!response.ok) throw new Error(JSON.stringify(answer));
    lists.push(answer.ids);
    times.push(answer.times ?? []);
  }
  const median = (hop: number) =>
    times.map((each) => each[hop] as number).sort((a, b) => a - b)[times.length >> 1] as number;
  return { lists, hops: (times[0] ?? []).map((_, hop) => median(hop)) };
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Processor time of the side's processes per answer, in microseconds; NaN where the system does not tell. */
  cpuMicroseconds: number;
  /** Milliseconds. */
  p50: number;
  p95: number;
  p99: number;
  answered: number;
  /** Answers other than 200, and connections that failed. */
  failed: number;
}

/** As many requests as so many connections can send, one at a time each. */
export async function measureLoad(
  side: Side,
  requests: number,
  connections: number,
  seconds: number,
): Promise<LoadResult> {
  const times: number[] = [];
  const cpuBefore = cpuSeconds(side.pids);
  let failed = 0;
  const bodies = Array.from({ length: requests }, (_, i) => ({
    method: 'POST' as const,
    headers: HEADERS,
    body: side.body(i),
  }));
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon({ url: side.url, connections, duration: seconds, requests: bodies }, (error, done) =>
      error ? reject(error) : resolve(done),
    );
    run.on('response', (_client, status, _bytes, milliseconds) => {
      if (status === 200) times.push(milliseconds);
      else failed += 1;
    });
  });
  const cpu = cpuSeconds(side.pids) - cpuBefore;
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? Number.NaN;
  return {
    requestsPerSecond: times.length / result.duration,
    cpuMicroseconds: (cpu * 1e6) / times.length,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    answered: times.length,
    failed: failed + result.errors,
  };
}

/** Clock ticks per second of /proc, on every Linux that Node runs on. */
const TICKS = 100;

/** Processor time of processes so far, from fields 14 and 15 of /proc/<pid>/stat. */
function cpuSeconds(pids: readonly number[]): number {
  if (process.platform !== 'linux') return Number.NaN;
  const ticks = pids.map((pid) => {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) /);
    const [user, system] = fields.split(' ').slice(11, 13).map(Number) as [number, number];
    return user + system;
  });
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS;
}
