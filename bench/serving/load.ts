// Load on a side: answers to compare with the truth, then throughput and latency at rising concurrency.
import autocannon from 'autocannon';
import type { Side } from './sides.js';

const HEADERS = { 'content-type': 'application/json' };

/** The list that each request gets. */
export async function lists({ url, body }: Side, count: number): Promise<number[][]> {
  const found: number[][] = [];
  for (let i = 0; i < count; i++) {
    const response = await fetch(url, { method: 'POST', headers: HEADERS, body: body(i) });
    const answer = (await response.json()) as { ids: number[] };
    if (!response.ok) throw new Error(JSON.stringify(answer));
    found.push(answer.ids);
  }
  return found;
}

export interface LoadResult {
  requestsPerSecond: number;
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
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? Number.NaN;
  return {
    requestsPerSecond: times.length / result.duration,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    answered: times.length,
    failed: failed + result.errors,
  };
}
