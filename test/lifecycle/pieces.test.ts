// Long work on the event loop comes in pieces. Turns are counted, not timed.
import { RetrievalModel } from 'silverlode';
import { expect, test, vi } from 'vitest';
import { inPieces, PIECE_ROWS } from '../../lib/index/progress.js';
import { ShardedMap } from '../../lib/index/sharded_map.js';
import { publish } from '../retrieval/publish.js';
import { property } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const items = 200_000;

/** Turns of the event loop that `work` gave way for. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  const yields = vi.spyOn(globalThis, 'setImmediate');
  try {
    await work();
    return yields.mock.calls.length;
  } finally {
    yields.mockRestore();
  }
}

property('pieces are consecutive, make up the whole, and are never larger than asked for', 20, async (random) => {
  const count = random.integer(100_000);
  const piece = 1 + random.integer(40_000);
  const ranges: [number, number][] = [];
  const turns = await turnsOf(() => inPieces(count, (begin, end) => ranges.push([begin, end]), piece));
  expect(ranges.length).toBe(Math.ceil(count / piece));
  expect(turns).toBe(Math.max(0, ranges.length - 1));
  ranges.forEach(([begin, end], i) => {
    expect(begin).toBe(i * piece);
    expect(end).toBe(Math.min(count, begin + piece));
  });
});

property('a sharded map answers as a Map does', 10, async (random) => {
  const map = new Map<unknown, number>();
  const sharded = new ShardedMap<unknown>();
  const draw = () => {
    const number = random.integer(300) - 150;
    return random.pick([number, number / 8, BigInt(number), `item ${number}`, `${number}x`, '', -0, number > 0]);
  };
  for (let i = 0; i < 3000; i++) {
    const key = draw();
    expect(sharded.add(key, i)).toBe(!map.has(key));
    if (!map.has(key)) map.set(key, i);
  }
  for (const key of [...map.keys(), 'none', undefined, null, Number.NaN, {}])
    expect(sharded.get(key)).toBe(map.get(key));
});

test('every stage of publishing gives way, and so do updates and folding; loading and the first exclusion build nothing', async () => {
  const yields = vi.spyOn(globalThis, 'setImmediate');
  const turns = new Map<string, number>();
  let stage = 'start';
  const count = () => {
    turns.set(stage, (turns.get(stage) ?? 0) + yields.mock.calls.length);
    yields.mockClear();
  };
  const path = folder.path('pieces.silverlode');
  await using model = await publish({
    items: {
      ids: Array.from({ length: items }, (_, i) => `item ${i}`),
      embeddings: { data: Float32Array.from({ length: 8 * items }, (_, i) => Math.sin(i)), shape: [items, 8] },
      attributes: {
        tag: Array.from({ length: items }, (_, i) => [`t${i % 50}`, `u${i % 30_000}`]),
        year: Int32Array.from({ length: items }, (_, i) => 1950 + (i % 75)),
      },
    },
    index: { clusters: 16, probes: 4 },
    onProgress: (event) => {
      count();
      stage = event.stage;
    },
  });
  count();
  yields.mockRestore();
  const rowsPerTurn = 2 * PIECE_ROWS;
  for (const name of ['read', 'attributes', 'index', 'filter'])
    expect([name, turns.get(name)]).toEqual([name, expect.toSatisfy((own: number) => own >= items / rowsPerTurn)]);

  await model.save(path);
  let loaded: RetrievalModel | undefined;
  expect(
    await turnsOf(async () => {
      loaded = await RetrievalModel.load(path);
    }),
  ).toBe(0); // ids are looked up where they lie
  await using served = loaded as unknown as RetrievalModel;
  const embedding = Float32Array.from({ length: 8 }, (_, i) => Math.sin(i));
  const excluding = () => served.retrieve({ embedding, exclude: ['item 0'], k: 5 });
  expect(await turnsOf(excluding)).toBe(0);
  const ids = Array.from({ length: 20_000 }, (_, i) => `item ${2 * i}`);
  expect(await turnsOf(() => served.delete(ids))).toBeGreaterThanOrEqual(10);
  expect(await turnsOf(() => served.compact())).toBeGreaterThanOrEqual((10 * items) / rowsPerTurn);
  expect(served.items).toBe(items - ids.length);
});
