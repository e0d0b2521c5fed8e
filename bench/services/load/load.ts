// Load on a side, from the parent's side.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What the generator is told: whom to call with which requests, or a trial. Without a rate it is a closed loop. */
export type LoadOrder =
  | { port: number; requests: readonly Uint8Array[]; connections: number }
  | { seconds: number; concurrency: number; rate?: number };

/** One trial; times in milliseconds. */
export interface LoadReport {
  answered: number;
  failed: number;
  seconds: number;
  p50: number;
  p95: number;
  p99: number;
  /** Processor time of the generator per answer. */
  clientMicroseconds: number;
}

/** More than any trial needs. */
const CONNECTIONS = 256;

/** A process that loads one side. */
export class LoadGenerator {
  private constructor(private readonly child: ChildProcess) {}

  /** @param requests Whole HTTP requests, sent in turn. */
  static async start(port: number, requests: readonly Uint8Array[]): Promise<LoadGenerator> {
    const child = fork(fileURLToPath(new URL('generator.js', import.meta.url)), { serialization: 'advanced' });
    const generator = new LoadGenerator(child);
    await generator.#order({ port, requests, connections: CONNECTIONS });
    return generator;
  }

  /** A constant rate of requests per second. */
  open(rate: number, seconds: number): Promise<LoadReport> {
    return this.#order({ rate, seconds, concurrency: CONNECTIONS });
  }

  /** So many requests in flight at any time. */
  closed(concurrency: number, seconds: number): Promise<LoadReport> {
    return this.#order({ seconds, concurrency });
  }

  stop(): void {
    this.child.disconnect();
  }

  async #order(order: LoadOrder): Promise<LoadReport> {
    this.child.send(order);
    const [report] = await once(this.child, 'message');
    if (report.error !== undefined) throw new Error(`the load generator failed: ${report.error}`);
    return report;
  }
}
