// How fast the answers come.
import type { RetrievalModel, RetrieveRequest, StepProfile } from 'silverlode';
import { retrieveAll } from './evaluate.js';

/** Times of one kind of request. */
export interface Timing {
  /** Single requests, one after the other. */
  latencyMs: { p50: number; p99: number };
  /** Requests in batches of 64, one batch after the other. */
  requestsPerSecond: number;
}

/** Measures single requests and batches, after a warm-up of each. */
export async function measure(model: RetrievalModel, requests: readonly RetrieveRequest[]): Promise<Timing> {
  await retrieveAll(model, requests);
  const batchStart = performance.now();
  await retrieveAll(model, requests);
  const batchSeconds = (performance.now() - batchStart) / 1000;

  for (const request of requests.slice(0, 50)) await model.retrieve(request);
  const times: number[] = [];
  for (const request of requests) {
    const start = performance.now();
    await model.retrieve(request);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const percentile = (share: number) => times[Math.floor(share * (times.length - 1))] as number;
  return {
    latencyMs: { p50: percentile(0.5), p99: percentile(0.99) },
    requestsPerSecond: requests.length / batchSeconds,
  };
}

/** The stages of one request: of five runs, the one of median total time. */
export async function stagesOf(model: RetrievalModel, request: RetrieveRequest): Promise<StepProfile[]> {
  const runs: StepProfile[][] = [];
  for (let run = 0; run < 5; run++) runs.push(await model.profile(request));
  runs.sort((a, b) => total(a) - total(b));
  return runs[2] as StepProfile[];
}

/** Milliseconds of all stages. */
export function total(stages: readonly StepProfile[]): number {
  return stages.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}
