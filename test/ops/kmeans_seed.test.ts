import { ops, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, type Input, run } from '../cases/kmeans_seed.js';
import { expectCode, forEachLevel, property } from '../support/ops.js';

// A draw has no other reference than its own first run, so the properties of that one are tested.
const firstRuns = new Map<string, Int32Array>();
const chosenOf = async (input: Input, seed?: number) => (await run(input, seed)).chosen.view() as unknown as Int32Array;

forEachLevel(() => {
  for (const { name, input, bench } of cases) {
    if (bench) continue;
    test(name, async () => {
      const { rows, clusters, distinct } = input();
      const chosen = await chosenOf({ rows, clusters, distinct });
      if (!firstRuns.has(name)) firstRuns.set(name, chosen);
      expect(chosen).toEqual(firstRuns.get(name));
      expect(new Set(chosen).size).toBe(clusters);
      expect(chosen.every((row) => row >= 0 && row < (rows.shape[0] as number))).toBe(true);
      const values = (row: number) =>
        rows.view().subarray(row * (rows.shape[1] as number), (row + 1) * (rows.shape[1] as number));
      const wanted = Math.min(clusters, distinct);
      expect(new Set([...chosen.subarray(0, wanted)].map((row) => values(row).join())).size).toBe(wanted);
      const rest = [...chosen.subarray(wanted)];
      expect(rest).toEqual(rest.toSorted((a, b) => a - b));
    });
  }
});

test('another seed chooses other rows', async () => {
  const rows = tensor(
    Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)),
    { shape: [500, 2] },
  );
  const input = { rows: rows as Input['rows'], clusters: 20, distinct: 500 };
  const [a, again, b] = [await chosenOf(input, 1), await chosenOf(input, 1), await chosenOf(input, 2)];
  expect(again).toEqual(a);
  expect(b).not.toEqual(a);
});

property(
  'rows far apart are found first',
  10,
  async (random) => {
    const blobs = 2 + random.integer(60);
    const data = Float32Array.from(
      { length: 2000 * 2 },
      (_, i) => 1e6 * (Math.floor(i / 2) % blobs) ** 2 + random.uniform(),
    );
    const rows = tensor(data, { shape: [2000, 2] });
    const chosen = await chosenOf(
      { rows: rows as Input['rows'], clusters: blobs, distinct: 2000 },
      random.integer(1e6),
    );
    expect(new Set([...chosen].map((row) => row % blobs)).size).toBe(blobs);
  },
  1,
);

test('the second centroid is drawn by squared distance', async () => {
  const rows = tensor([0, 1, 3], { shape: [3, 1] });
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 3000; seed++) {
    const pair = (await ops.kmeansSeed(rows, { clusters: 2, seed })).view().join();
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  const expected = { '0,1': 100, '0,2': 900, '1,0': 200, '1,2': 800, '2,0': 692, '2,1': 308 };
  for (const [pair, count] of Object.entries(expected)) {
    expect(Math.abs((counts.get(pair) ?? 0) - count), pair).toBeLessThan(5 * Math.sqrt(count));
  }
});

test('wrong inputs', async () => {
  const rows = tensor(new Float32Array(6), { shape: [2, 3] });
  await expectCode('UNSUPPORTED_DTYPE', () =>
    ops.kmeansSeed(tensor(new Int8Array(6), { shape: [2, 3] }), { clusters: 1 }),
  );
  await expectCode('SHAPE_MISMATCH', () => ops.kmeansSeed(rows.reshape([6]), { clusters: 1 }));
  for (const clusters of [0, -1, 3, 2 ** 31])
    await expectCode('INVALID_ARGUMENT', () => ops.kmeansSeed(rows, { clusters }));
});
