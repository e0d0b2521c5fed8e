// Load on services: planned times, quantiles, the search for a rate, and the client that reads answers.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Connection, parseAnswer } from '../../bench/services/load/connection.js';
import { closedLoop, openLoop, quantile, type Send } from '../../bench/services/load/open_loop.js';
import { highestRate } from '../../bench/services/load/rate_search.js';
import { Random } from '../../lib/data/random.js';

describe('quantile', () => {
  test('is the least value that a share of all values does not exceed', () => {
    const random = new Random(11);
    for (let round = 0; round < 50; round++) {
      const values = Array.from({ length: 1 + random.integer(40) }, () => random.integer(20)).sort((a, b) => a - b);
      for (const q of [0, 0.01, 0.5, 0.9, 0.99, 1]) {
        const expected = values.find((value) => values.filter((other) => other <= value).length >= q * values.length);
        expect(quantile(values, q), `${q} of ${values}`).toBe(expected);
      }
    }
  });

  test('of nothing is NaN', () => expect(quantile([], 0.99)).toBeNaN());
});

describe('highestRate', () => {
  const search = { start: 100, tolerance: 0.05, maxTrials: 40 };
  /** A side that holds up to `limit`, and the rates it was asked for. */
  const side = (limit: number) => {
    const asked: number[] = [];
    return { asked, holds: async (rate: number) => asked.push(rate) > 0 && rate <= limit };
  };

  test.each([3, 99, 100, 101, 1234.5, 70_000])('finds %f within the tolerance, from below', async (limit) => {
    const { asked, holds } = side(limit);
    const found = await highestRate(holds, search);
    expect(found).toBeLessThanOrEqual(limit);
    expect(found * 1.05).toBeGreaterThanOrEqual(limit);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test('is 0 when nothing holds, and takes no more trials than allowed', async () => {
    const { asked, holds } = side(0);
    expect(await highestRate(holds, { ...search, maxTrials: 6 })).toBe(0);
    expect(asked).toEqual([100, 50, 25, 12.5, 6.25, 3.125]);
  });
});

describe('open loop', () => {
  test('sends as many as planned, each once, and counts failures apart', async () => {
    const sent: number[] = [];
    const send: Send = async (i) => {
      sent.push(i);
      if (i % 10 === 3) throw new Error('refused');
      return i % 10 !== 7;
    };
    const { times, failed } = await openLoop([send, send], 1000, 0.1);
    expect(sent.sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
    expect([times.length, failed]).toEqual([80, 20]);
    expect([...times]).toEqual([...times].sort((a, b) => a - b));
  });

  test('a stalled answer makes the requests behind it late: their time runs from when they were planned', async () => {
    const stall = 50;
    const send: Send = async (i) => {
      if (i === 0) await sleep(stall);
      return true;
    };
    const { times } = await openLoop([send], 200, 0.2);
    // Requests planned every 5 ms during the stall waited for its end, each 5 ms less; timers are early by up to 1 ms.
    for (const [rank, least] of [stall, stall - 5, stall - 10, stall - 15].entries())
      expect(times.at(-1 - rank)).toBeGreaterThanOrEqual(least - 2);
  });

  test('a side that is far behind is given up, and what was not sent has failed', async () => {
    const { times, failed } = await openLoop([() => sleep(20, true)], 2000, 0.3);
    expect(times.length + failed).toBe(600);
    expect(failed).toBeGreaterThan(300);
  });
});

test('closed loop: every connection waits for its answer before it sends again', async () => {
  let inFlight = 0;
  let most = 0;
  const send: Send = async () => {
    most = Math.max(most, ++inFlight);
    await sleep(1);
    inFlight -= 1;
    return true;
  };
  const { times, failed } = await closedLoop([send, send, send], 0.05);
  expect(most).toBe(3);
  expect(failed).toBe(0);
  expect(times.length).toBeGreaterThanOrEqual(3);
});

describe('connection', () => {
  test('an answer is known when its last byte is there', () => {
    const bytes = Buffer.from('HTTP/1.1 429 Too Many\r\nX: 1\r\nContent-Length: 5\r\n\r\nhello');
    for (let length = 0; length < bytes.length; length++)
      expect(parseAnswer(bytes.subarray(0, length))).toBeUndefined();
    const answer = parseAnswer(bytes);
    expect(answer).toMatchObject({ status: 429, body: Buffer.from('hello') });
    expect(() => parseAnswer(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('content-length');
  });

  test('keeps its socket, fails when the server hangs up, and opens another', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/end') request.socket.destroy();
      else response.end(Buffer.alloc(300_000, String(request.socket.remotePort)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const connection = await Connection.open((server.address() as AddressInfo).port);
    onTestFinished(() => connection.close());
    const get = (path: string) => connection.send(Buffer.from(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`));
    const bodies = [await get('/'), await get('/')].map(({ body }) => body.toString());
    expect(bodies[0]).toHaveLength(300_000);
    expect(bodies[1]).toBe(bodies[0]);
    await expect(get('/end')).rejects.toThrow(/closed|reset|hang/);
    expect((await get('/')).body).toHaveLength(300_000);
  });
});
