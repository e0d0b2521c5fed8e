// A real NATS server, where there is one.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type LogEntry, publish, RetrievalModel, type SilverlodeError } from 'silverlode';
import { encodeUpdate, natsEnd, natsLog } from 'silverlode/feed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, Mirror } from './mirror.js';

const hasServer = spawnSync('nats-server', ['--version']).status === 0;
const folder = await tempFolder();
const options = { metric: 'ip', biased: false, features: true } as const;
const seed = Date.now() % 1_000_000;

// Reported as skipped where the server is not installed (Debian: apt-get install nats-server).
describe.skipIf(!hasServer)(`NATS JetStream (seed ${seed})`, () => {
  let port = 0;
  let sent = 0;
  let server: ChildProcess;
  let connection: NatsConnection;
  const random = new Random(seed);
  const ids = Array.from({ length: 100 }, (_, id) => id);
  const mirror = new Mirror(options);
  const base = folder.path('base.silverlode');

  async function startServer(): Promise<void> {
    server = spawn('nats-server', ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', folder.path('store')], {
      stdio: 'ignore',
    });
    for (;;) {
      const reached = await connect({ servers: `127.0.0.1:${port}`, reconnect: false }).catch(() => undefined);
      if (reached) return reached.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  const stopServer = () =>
    new Promise((resolve) => {
      server.once('exit', resolve);
      server.kill('SIGKILL');
    });

  beforeAll(async () => {
    port = await freePort();
    await startServer();
    connection = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    await (await jetstreamManager(connection)).streams.add({ name: 'catalogue', subjects: ['items.>'] });
    mirror.apply(mirror.upsert(random, ids.slice(0, 40)));
    await using model = await publish({ items: mirror.published() });
    await model.save(base);
  });
  afterAll(async () => {
    await connection?.close();
    await stopServer();
  });

  async function send(count: number): Promise<number> {
    let last = 0;
    for (let i = 0; i < count; i++) {
      const update = mirror.randomUpdate(random, ids);
      if (!fitsJson('attributes' in update ? update.attributes : undefined)) {
        i--;
        continue;
      }
      mirror.apply(update);
      last = await sendOnce(encodeUpdate(update));
    }
    return last;
  }

  /** What is sent while the connection is being made again may be lost, so it is sent until it is acknowledged, and kept once. */
  async function sendOnce(bytes: Uint8Array): Promise<number> {
    const msgID = `${seed}-${sent++}`;
    for (let attempt = 0; attempt < 20; attempt++) {
      const stored = await jetstream(connection)
        .publish('items.changed', bytes, { msgID, timeout: 500 })
        .catch(() => undefined);
      if (stored) return stored.seq;
    }
    return expect.fail('the server does not acknowledge');
  }

  async function until(model: RetrievalModel, position: number): Promise<void> {
    while (((model.freshness().position as number | undefined) ?? 0) < position)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  const all = async (model: RetrievalModel) =>
    (await model.retrieve({ embedding: new Float32Array(DIMS), k: 1000 })).ids;

  test('a model follows, is saved, and goes on where it was', async () => {
    const stop = new AbortController();
    await using model = await RetrievalModel.load(base);
    const following = model.follow(natsLog(connection, { stream: 'catalogue' }), { signal: stop.signal });
    const aborted = expectCode('ABORTED', () => following);
    await until(model, await send(50));
    expect(await all(model)).toEqual(mirror.ids);
    const saved = folder.path('followed.silverlode');
    await model.save(saved);

    // The server goes away and comes back: nothing is lost, nothing comes twice.
    await stopServer();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await startServer();
    await until(model, await send(50));
    expect(await all(model)).toEqual(mirror.ids);
    stop.abort();
    await aborted;

    await using again = await RetrievalModel.load(saved);
    expect(again.freshness().position).toBe(50);
    const second = new AbortController();
    const resumed = expectCode('ABORTED', () =>
      again.follow(natsLog(connection, { stream: 'catalogue' }), { signal: second.signal }),
    );
    await until(again, 100);
    expect(await all(again)).toEqual(mirror.ids);
    second.abort();
    await resumed;
  });

  test('what is no update is refused and passed; a stream that is gone is an error', async () => {
    const refused: [SilverlodeError, LogEntry][] = [];
    const stop = new AbortController();
    await using model = await RetrievalModel.load(base);
    const { seq } = await jetstream(connection).publish('items.changed', 'not JSON');
    const log = natsLog(connection, { stream: 'catalogue' });
    const onRefused = (error: SilverlodeError, entry: LogEntry) => refused.push([error, entry]);
    const following = expectCode('ABORTED', () => model.follow(log, { signal: stop.signal, onRefused }));
    await until(model, await send(1));
    expect(refused.map(([{ code }, { position }]) => [code, position])).toEqual([['INVALID_ARGUMENT', seq]]);
    expect(await all(model)).toEqual(mirror.ids);
    stop.abort();
    await following;
    await expectCode('IO_ERROR', () => model.follow(natsLog(connection, { stream: 'nothing' })));
    await (await jetstreamManager(connection)).streams.purge('catalogue', { seq: 50 });
    await using late = await RetrievalModel.load(base);
    await expectCode('IO_ERROR', () => late.follow(natsLog(connection, { stream: 'catalogue' })));
  });

  describe('what a stream has lost is an error, not skipped', () => {
    const update = (item: number) => encodeUpdate({ type: 'delete', ids: [item] });
    const stream = 'losing';
    const streams = async () => (await jetstreamManager(connection)).streams;
    /** A new stream with messages 1 to `count`. */
    const make = async (count: number, more: object = {}) => {
      await (await streams()).delete(stream).catch(() => undefined);
      await (await streams()).add({ name: stream, subjects: ['losing.>'], ...more });
      for (let i = 1; i <= count; i++) await jetstream(connection).publish(`losing.${i % 3}`, update(i));
    };

    async function read(options: object, after: unknown, count: number) {
      const entries = natsLog(connection, { stream, ...options })(after)[Symbol.asyncIterator]();
      const positions: unknown[] = [];
      try {
        while (positions.length < count) positions.push((await entries.next()).value.position);
        return positions;
      } catch (error) {
        return [...positions, (error as SilverlodeError).message];
      } finally {
        await entries.return?.();
      }
    }

    test('messages that a limit dropped, before and after the start', async () => {
      await make(10, { max_msgs: 4 });
      expect(await read({}, undefined, 4)).toEqual([expect.stringContaining('no longer holds messages 1 to 6')]);
      expect(await read({}, 6, 4)).toEqual([7, 8, 9, 10]);
      expect(await read({ allowGaps: true }, undefined, 4)).toEqual([7, 8, 9, 10]);
      expect(await read({ subjects: 'losing.1' }, 5, 1)).toEqual([
        expect.stringContaining('no longer holds message 6'),
      ]);
    });

    test('messages that are gone from the middle', async () => {
      await make(6);
      await (await streams()).deleteMessage(stream, 3);
      await (await streams()).deleteMessage(stream, 4);
      expect(await read({}, undefined, 6)).toEqual([1, 2, expect.stringContaining('no longer holds messages 3 to 4')]);
      expect(await read({ allowGaps: true }, undefined, 4)).toEqual([1, 2, 5, 6]);
    });

    test('messages dropped while a reader was behind', async () => {
      await make(2);
      const entries = natsLog(connection, { stream })(undefined)[Symbol.asyncIterator]();
      for (const sequence of [1, 2]) expect((await entries.next()).value.position).toBe(sequence);
      const waiting = entries.next();
      await (await streams()).update(stream, { max_msgs: 1 });
      await jetstream(connection).publish('losing.0', update(3));
      expect((await waiting).value.position).toBe(3);
      for (let i = 4; i <= 600; i++) await jetstream(connection).publish('losing.0', update(i));
      const rest = await read({}, 3, 1);
      expect(rest).toEqual([expect.stringContaining('no longer holds messages 4 to 599')]);
      await entries.return?.();
    });

    test('a stream made anew, while it is followed and after a restart', async () => {
      await make(5);
      const entries = natsLog(connection, { stream, identify: true })(undefined)[Symbol.asyncIterator]();
      let position: unknown;
      for (let i = 0; i < 5; i++) position = (await entries.next()).value.position;
      expect(position).toEqual({ sequence: 5, created: expect.any(String) });
      const waiting = entries.next();
      await make(9);
      await expect(waiting).rejects.toThrow(/was made anew/);
      expect(await read({}, position, 1)).toEqual([expect.stringContaining('was made anew')]);
      expect(await read({ identify: true }, 5, 1)).toEqual([{ sequence: 6, created: expect.any(String) }]);
      const reached = await natsEnd(connection, stream);
      expect([reached(8), reached(9), reached({ sequence: 9, created: 'x' }), reached(undefined)]).toEqual([
        false,
        true,
        true,
        false,
      ]);
    });
  });
});

/** JSON has no integers beyond 2^53. */
function fitsJson(attributes: unknown): boolean {
  const values = Object.values(attributes ?? {}).flat(2) as unknown[];
  return values.every((value) => typeof value !== 'bigint' || Number.isSafeInteger(Number(value)));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
