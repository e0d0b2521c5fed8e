// Shards as processes behind a real NATS server; skipped where nats-server is not installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { RetrievalModel, RetrieveRequest, SilverlodeError } from 'silverlode';
import { cutModel, ShardedModel, serveShard } from 'silverlode/cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { answerOf, publishCatalogue, randomCatalogue, randomRequest, randomVectors } from '../retrieval/catalogue.js';
import { tempFolder } from '../support/temp_folder.js';
import { kill, natsServer, startNats } from './nats_server.js';

const { path } = await tempFolder();
const SHARDS = 4;
const ITEMS = 1503;
const DIMS = 24;

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    ({ code }: SilverlodeError) => code,
  );

describe.skipIf(natsServer === undefined)('a catalogue in shards', () => {
  const random = new Random(17);
  const catalogue = randomCatalogue(random, { items: ITEMS, dims: DIMS, attributes: true });
  const processes: ChildProcess[] = [];
  let url: string;
  let nats: NatsConnection;
  let whole: RetrievalModel;

  /** A shard in a process of its own, which answers. */
  async function startShard(index: number, folder = path('books'), name = 'books'): Promise<ChildProcess> {
    const script = join(import.meta.dirname, 'shard.mjs');
    const child = spawn(process.execPath, [script, url, folder, `${index}/${SHARDS}`, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    processes.push(child);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return child;
  }

  beforeAll(async () => {
    const started = await startNats();
    url = started.host;
    processes.push(started.process);
    for (let opened: NatsConnection | undefined; opened === undefined; ) {
      opened = await connect({ servers: url, maxReconnectAttempts: -1 }).catch(() => undefined);
      if (opened) nats = opened;
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
    whole = await publishCatalogue(catalogue, { index: { clusters: 24 } });
    await whole.save(path('books.silverlode'));
    await cutModel(path('books.silverlode'), path('books'), { shards: SHARDS });
  });

  afterAll(async () => {
    await whole?.close();
    await nats?.close();
    for (const child of processes.reverse()) await kill(child);
  });

  test('nobody there is NOT_READY', async () => {
    expect(await codeOf(ShardedModel.connect(nats, { name: 'books' }))).toBe('NOT_READY');
    expect(await codeOf(ShardedModel.connect(nats, { name: 'a.b' }))).toBe('INVALID_ARGUMENT');
    const options = { nats, shard: '5/4', name: 'books' };
    expect(await codeOf(serveShard(path('books'), options))).toBe('INVALID_ARGUMENT');
  });

  test('answers are those of the whole; a killed shard is an error or a partial answer; a new one takes its place', async () => {
    const shards = await Promise.all([1, 2, 3, 4].map((index) => startShard(index)));
    const model = await ShardedModel.connect(nats, { name: 'books' });
    expect([model.items, model.dims]).toEqual([ITEMS, DIMS]);
    const requests = Array.from({ length: 200 }, (_, i): RetrieveRequest => {
      const { given } = randomRequest(random, catalogue, 1 + (i % 2));
      return { ...given, ...(i % 3 === 0 ? { count: true } : { recall: 1 }) };
    });
    const expected = await whole.retrieve(requests);
    const answers = await model.retrieve(requests);
    answers.forEach((answer, i) => {
      expect(answerOf(answer)).toEqual(answerOf(expected[i]));
      if (requests[i]?.count) expect(answer).toMatchObject({ stats: { eligibleItems: expect.any(Number) } });
    });

    const embedding = randomVectors(random, 1, DIMS);
    const bad: [RetrieveRequest, string][] = [
      [{ embedding: embedding.subarray(1) }, 'SHAPE_MISMATCH'],
      [{ embedding, k: Number.NaN }, 'INVALID_ARGUMENT'],
      [{ embedding, filter: 'nothing:' }, 'FILTER_SYNTAX'],
      [{ embedding, filter: 'nothing:1' }, 'UNKNOWN_FIELD'],
      [{ embedding, deadlineMs: 0 }, 'DEADLINE'],
      [{ embedding, unknown: 1 } as RetrieveRequest, 'INVALID_ARGUMENT'],
      [{ embedding, offset: 10 }, 'INVALID_ARGUMENT'],
      [{ like: [1] }, 'INVALID_ARGUMENT'],
      [{ embedding, exclude: (() => 1) as never }, 'INVALID_ARGUMENT'],
      [null as unknown as RetrieveRequest, 'INVALID_ARGUMENT'],
    ];
    for (const [request, code] of bad) expect(await codeOf(model.retrieve(request))).toBe(code);
    const aborted = model.retrieve({ embedding }, { signal: AbortSignal.abort() });
    expect(await codeOf(aborted)).toBe('ABORTED');

    await kill(shards[1] as ChildProcess);
    const lost = Math.ceil(ITEMS / SHARDS);
    await expect(model.retrieve({ embedding })).rejects.toMatchObject({ code: 'PARTIAL', shards: [2], items: lost });
    const lenient = await ShardedModel.connect(nats, { name: 'books', partial: true });
    const request = { embedding, k: ITEMS, recall: 1 };
    const partial = await lenient.retrieve(request);
    expect(partial.partial).toEqual({ shards: [2], items: lost });
    expect(partial.ids).toHaveLength(ITEMS - lost);
    await startShard(2);
    const again = await lenient.retrieve(request);
    expect(again.partial).toBeUndefined();
    expect(answerOf(again)).toEqual(answerOf(await whole.retrieve(request)));
    await model.close();
    expect(await codeOf(model.retrieve({ embedding }))).toBe('DISPOSED');
  });

  test('with probes an answer is no worse than that of one model, and by default it reaches the target', async () => {
    const model = await ShardedModel.connect(nats, { name: 'books' });
    let found = 0;
    for (let i = 0; i < 40; i++) {
      const request: RetrieveRequest = { embedding: randomVectors(random, 1, DIMS), k: 20 };
      const probed = await model.retrieve({ ...request, probes: 3 });
      const theirs = await whole.retrieve({ ...request, probes: 3 });
      probed.scores.forEach(
        (score, place) => void expect(score).toBeGreaterThanOrEqual(theirs.scores[place] as number),
      );
      const all = new Set((await whole.retrieve({ ...request, recall: 1 })).ids);
      found += (await model.retrieve(request)).ids.filter((id) => all.has(id)).length;
    }
    expect(found / (40 * 20)).toBeGreaterThanOrEqual(0.98);
  });

  test('answers of different versions are never mixed', async () => {
    const other = randomCatalogue(new Random(18), { items: ITEMS, dims: DIMS });
    await using second = await publishCatalogue(other, { index: { clusters: 24 } });
    await second.save(path('second.silverlode'));
    await cutModel(path('second.silverlode'), path('second'), { shards: SHARDS });
    const embedding = randomVectors(random, 1, DIMS);
    const request = { embedding, recall: 1 };
    const first = [];
    for (const index of [1, 2, 3, 4])
      first.push(
        await serveShard(path(index === 3 ? 'second' : 'books'), { nats, shard: `${index}/4`, name: 'mixed' }),
      );
    const model = await ShardedModel.connect(nats, { name: 'mixed' });
    expect(await codeOf(model.retrieve(request))).toBe('NOT_READY');
    for (const shard of first) await shard.close();
    const next = [];
    for (const index of [1, 2, 3, 4])
      next.push(await serveShard(path('second'), { nats, shard: `${index}/4`, name: 'mixed' }));
    expect(answerOf(await model.retrieve(request))).toEqual(answerOf(await second.retrieve(request)));
    for (const shard of next) await shard.close();
  });
});
