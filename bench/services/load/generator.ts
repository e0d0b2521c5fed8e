// The load generator, a process of its own: takes one order at a time from its parent and answers it.
import { Connection } from './connection.js';
import type { LoadOrder, LoadReport } from './load.js';
import { closedLoop, openLoop, quantile, type Send, type Trial } from './open_loop.js';

let requests: Buffer[] = [];
let senders: Send[] = [];
let connections: Connection[] = [];

async function connectTo({ port, requests: given, connections: count }: Extract<LoadOrder, { port: number }>) {
  for (const connection of connections) connection.close();
  requests = given.map((request) => Buffer.from(request));
  connections = await Promise.all(Array.from({ length: count }, () => Connection.open(port)));
  senders = connections.map(
    (connection) => async (i) => (await connection.send(requests[i % requests.length] as Buffer)).status === 200,
  );
}

async function report(work: () => Promise<Trial>): Promise<LoadReport> {
  const before = process.cpuUsage();
  const { times, failed, seconds } = await work();
  const { user, system } = process.cpuUsage(before);
  return {
    answered: times.length,
    failed,
    seconds,
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
    p99: quantile(times, 0.99),
    clientMicroseconds: (user + system) / times.length,
  };
}

process.on('message', async (order: LoadOrder) => {
  try {
    if ('port' in order) {
      await connectTo(order);
      process.send?.({});
    } else {
      const { seconds, rate, concurrency } = order;
      const used = senders.slice(0, concurrency);
      process.send?.(
        await report(() => (rate === undefined ? closedLoop(used, seconds) : openLoop(used, rate, seconds))),
      );
    }
  } catch (error) {
    process.send?.({ error: (error as Error).message });
  }
});
process.on('disconnect', () => process.exit());
