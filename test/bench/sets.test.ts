import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import h5wasm from 'h5wasm/node';
import { describe, expect, test } from 'vitest';
import { judge } from '../../bench/ann/answers.js';
import { exactNeighbours } from '../../bench/data/exact.js';
import { givenSet, type Metric } from '../../bench/data/given_set.js';
import { readSet } from '../../bench/data/set_files.js';
import { FILTERS, K, recallOf, type SetFiles, standardSet, truthOf } from '../../bench/data/standard_set.js';
import { dataFolder } from '../../lib/data/data_folder.js';
import { Random } from '../../lib/data/random.js';
import { readVecs, writeVecs } from '../../lib/io/vecs.js';
import type { Vectors } from '../../lib/io/vectors.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

function randomRows(random: Random, rows: number, dims: number): Vectors {
  return { data: Float32Array.from({ length: rows * dims }, () => random.normal()), shape: [rows, dims] };
}

/** The obvious way: every score in float64, all of them sorted. */
function slowNeighbours(
  rows: Vectors,
  queries: Vectors,
  k: number,
  score: (row: Float32Array, query: Float32Array) => number,
  isEligible: (row: number) => boolean = () => true,
): { row: number; score: number }[][] {
  const at = ({ data, shape: [, dims] }: Vectors, i: number) => data.subarray(i * dims, (i + 1) * dims);
  return Array.from({ length: queries.shape[0] }, (_, query) =>
    Array.from({ length: rows.shape[0] }, (_, row) => row)
      .filter(isEligible)
      .map((row) => ({ row, score: score(at(rows, row), at(queries, query)) }))
      .sort((a, b) => b.score - a.score || a.row - b.row)
      .slice(0, k),
  );
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const SCORES: Readonly<Record<Metric, typeof dot>> = {
  ip: dot,
  cosine: (row, query) => dot(row, query) / (Math.sqrt(dot(row, row)) || 1),
  l2: (row, query) => -row.reduce((sum, value, i) => sum + (value - (query[i] as number)) ** 2, 0),
};

/** Lists with rows in the same places, but where scores are as good as equal. */
function expectLists(found: Int32Array, k: number, wanted: ReturnType<typeof slowNeighbours>, tolerance = 1e-4): void {
  for (const [query, list] of wanted.entries()) {
    const rows = [...found.subarray(query * k, (query + 1) * k)];
    expect(rows.slice(list.length), `query ${query}`).toEqual(Array(k - list.length).fill(-1));
    for (const [place, { row, score }] of list.entries()) {
      const got = list.find((each) => each.row === rows[place]);
      if (rows[place] !== row)
        expect(Math.abs((got?.score ?? Infinity) - score), `query ${query}`).toBeLessThan(tolerance);
    }
    expect(new Set(rows.slice(0, list.length)).size, `query ${query}`).toBe(list.length);
  }
}

describe('exactNeighbours', () => {
  test.each([1, 2, 3])('finds what sorting all scores finds, seed %i', async (seed) => {
    const random = new Random(seed);
    const dims = 1 + random.integer(40); // odd ones too
    const rows = randomRows(random, 300 + random.integer(300), dims);
    const queries = randomRows(random, 7, dims);
    const k = 1 + random.integer(60);
    expectLists(await exactNeighbours(rows, queries, k), k, slowNeighbours(rows, queries, k, dot));
    const eligible = Int32Array.from(Array(rows.shape[0]).keys()).filter(() => random.chance(0.1));
    const wanted = slowNeighbours(rows, queries, k, dot, (row) => eligible.includes(row));
    expectLists(await exactNeighbours(rows, queries, k, { eligible }), k, wanted);
    expect([...(await exactNeighbours(rows, queries, k, { eligible: new Int32Array(0) }))]).toEqual(
      Array(7 * k).fill(-1),
    );
  });

  test('goes over rows and queries in blocks, and the lower row wins ties across them', async () => {
    const random = new Random(4);
    const rows = randomRows(random, 20_000, 2);
    for (const twin of [0, 9000, 19_999]) rows.data.set([30, 40], 2 * twin);
    const queries = randomRows(random, 1100, 2);
    queries.data.set([3, 4], 2 * 1050);
    const found = await exactNeighbours(rows, queries, 500);
    const some = [0, 1023, 1024, 1050, 1099];
    const asked = {
      data: Float32Array.from(some.flatMap((i) => [...queries.data.subarray(2 * i, 2 * i + 2)])),
      shape: [5, 2],
    };
    const lists = Int32Array.from(some.flatMap((i) => [...found.subarray(i * 500, (i + 1) * 500)]));
    expectLists(lists, 500, slowNeighbours(rows, asked as unknown as Vectors, 500, dot));
    expect([...found.subarray(1050 * 500, 1050 * 500 + 3)]).toEqual([0, 9000, 19_999]);
  });
});

describe('the standard set', () => {
  const SIZE = { items: 3000, dims: 32, clusters: 30, queries: 20 };
  const filesOf = async (set: SetFiles) =>
    Promise.all(
      ['items.fbin', 'queries.fbin', ...FILTERS.map((filter) => `${filter}.u8`), 'truth-all.i32', 'truth-p1.i32'].map(
        (name) => readFile(join(set.folder, name)),
      ),
    );

  test('is the same wherever it is made, and made once', async () => {
    const [first, second] = [await standardSet(SIZE, folder.path('one')), await standardSet(SIZE, folder.path('two'))];
    expect(await filesOf(first)).toEqual(await filesOf(second));
    await writeVecs(join(first.folder, 'queries.fbin'), {
      dtype: 'float32',
      shape: [0, 32],
      data: new Float32Array(0),
    });
    const again = await standardSet(SIZE, folder.path('one'));
    expect(again).toEqual(first);
    expect((await readVecs(join(again.folder, 'queries.fbin'))).shape).toEqual([0, 32]);
  });

  test('has the same rows and first queries whatever the number of queries', async () => {
    const few = await readSet(await standardSet({ ...SIZE, queries: 5 }, folder.path('few')), { rows: true });
    const many = await readSet(await standardSet(SIZE, folder.path('two')), { rows: true });
    expect(few.rows).toEqual(many.rows);
    expect(few.queries).toEqual(many.queries.subarray(0, 5 * SIZE.dims));
  });

  test('keeps exact lists of unit rows for every filter', async () => {
    const files = await standardSet(SIZE, folder.path('two'));
    const set = await readSet(files, { rows: true });
    const rows: Vectors = { data: set.rows as Vectors['data'], shape: [SIZE.items, SIZE.dims] };
    const queries: Vectors = { data: set.queries as Vectors['data'], shape: [SIZE.queries, SIZE.dims] };
    expect(dot(set.rows.subarray(0, 32), set.rows.subarray(0, 32))).toBeCloseTo(1, 5);
    for (const filter of ['', ...FILTERS]) {
      const mask = filter === '' ? undefined : await set.mask(filter);
      const wanted = slowNeighbours(rows, queries, K, dot, (row) => mask === undefined || mask[row] === 1);
      expectLists(await truthOf(files, filter), K, wanted);
    }
  });
});

describe('sets from files', () => {
  const random = new Random(5);
  const DIMS = 13;
  const integral = (rows: number): Vectors => ({
    data: Float32Array.from({ length: rows * DIMS }, () => random.integer(128)),
    shape: [rows, DIMS],
  });
  const items = integral(400);
  const queries = integral(11);

  const write = async (name: string, { data, shape }: Vectors): Promise<string> => {
    const path = folder.path(name);
    if (/u8|bvecs/.test(name)) await writeVecs(path, { dtype: 'uint8', shape, data: Uint8Array.from(data) });
    else if (/i8/.test(name)) await writeVecs(path, { dtype: 'int8', shape, data: Int8Array.from(data) });
    else await writeVecs(path, { dtype: 'float32', shape, data });
    return path;
  };

  test.each<[string, Metric]>([
    ['fbin', 'ip'],
    ['fvecs', 'l2'],
    ['u8bin', 'l2'],
    ['bvecs', 'cosine'],
    ['i8bin', 'ip'],
  ])('.%s with the metric %s', async (extension, metric) => {
    const spec = [await write(`items.${extension}`, items), await write(`queries.${extension}`, queries)].join(',');
    const given = await givenSet(spec, metric, folder.path(`given-${extension}`));
    expect(given.metric).toBe(metric);
    expect(given.set).toMatchObject({
      items: 400,
      dims: DIMS,
      queries: 11,
      filters: ['p50', 'p10', 'p1', 'p01', 'c10', 'c1'],
    });
    const set = await readSet(given.set, { rows: true });
    expect(set.rows).toEqual(items.data);
    for (const filter of ['', 'p50', 'p10']) {
      const mask = filter === '' ? undefined : await set.mask(filter);
      const isEligible = (row: number) => mask === undefined || mask[row] === 1;
      const tolerance = metric === 'cosine' ? 1e-2 : 1e-4;
      expectLists(
        await truthOf(given.set, filter),
        K,
        slowNeighbours(items, queries, K, SCORES[metric], isEligible),
        tolerance,
      );
    }
  });

  const truthFile = async (name: string, rows: number, first: number): Promise<string> => {
    const data = Int32Array.from({ length: rows * K }, (_, i) => first + (i % K));
    await writeVecs(folder.path(name), { dtype: 'int32', shape: [rows, K], data });
    return folder.path(name);
  };

  test.each(['ivecs', 'ibin'])('exact lists from .%s are taken as they are', async (extension) => {
    const files = [await write('t-items.fbin', items), await write('t-queries.fbin', queries)];
    const spec = [...files, await truthFile(`truth.${extension}`, 11, 7)].join(',');
    const { set } = await givenSet(spec, 'ip', folder.path(`truth-${extension}`));
    expect([...(await truthOf(set, '')).subarray(0, K)]).toEqual(Array.from({ length: K }, (_, i) => 7 + i));
  });

  test('without queries the last rows are asked for', async () => {
    const { set } = await givenSet(await write('alone.fbin', items), 'ip', folder.path('alone'));
    expect(set).toMatchObject({ items: 200, queries: 200 });
    expect((await readSet(set, { rows: true })).queries).toEqual(items.data.subarray(200 * DIMS));
  });

  test('what does not fit is refused by name', async () => {
    const base = await write('x-items.fbin', items);
    const asked = await write('x-queries.fbin', queries);
    const narrow = folder.path('narrow.fbin');
    await writeVecs(narrow, { dtype: 'float32', shape: [2, 3], data: new Float32Array(6) });
    const cut = await folder.write('cut.fbin', (await readFile(base)).subarray(0, 100));
    const refused: [string, string][] = [
      [`${base},${narrow}`, 'SHAPE_MISMATCH'],
      [`${base},${asked},${await truthFile('short.ivecs', 10, 0)}`, 'SHAPE_MISMATCH'],
      [`${base},${asked},${asked}`, 'SHAPE_MISMATCH'],
      [`${base},${asked},${await truthFile('far.ivecs', 11, 350)}`, 'CORRUPT_FILE'],
      [cut, 'CORRUPT_FILE'],
      [folder.path('none.fbin'), 'IO_ERROR'],
      [folder.path('none.hdf5'), 'IO_ERROR'],
      [folder.path('items.txt'), 'INVALID_ARGUMENT'],
    ];
    for (const [spec, code] of refused)
      await expect(givenSet(spec, 'ip', folder.path('refused')), spec).rejects.toMatchObject({ code });
  });
});

describe('HDF5 files of ann-benchmarks', () => {
  const random = new Random(6);
  const train = randomRows(random, 150, 6);
  const asked = randomRows(random, 3, 6);

  /** Writes what is given; `distance` is an attribute. */
  async function writeHdf5(name: string, parts: Record<string, Vectors>, distance?: string): Promise<string> {
    await h5wasm.ready;
    const path = folder.path(name);
    const file = new h5wasm.File(path, 'w');
    for (const [dataset, { data, shape }] of Object.entries(parts)) {
      const values = dataset === 'neighbors' ? Int32Array.from(data) : data;
      file.create_dataset({ name: dataset, data: values, shape: [...shape] });
    }
    if (distance !== undefined) file.create_attribute('distance', distance);
    file.close();
    return path;
  }
  const neighbors: Vectors = { data: Float32Array.from({ length: 3 * K }, (_, i) => 140 - (i % K)), shape: [3, K] };

  test.each<[string, Metric]>([
    ['euclidean', 'l2'],
    ['angular', 'cosine'],
  ])('with the distance %s', async (distance, metric) => {
    const path = await writeHdf5(`${distance}.hdf5`, { train, test: asked, neighbors }, distance);
    const given = await givenSet(path, 'ip', folder.path('hdf5'));
    expect(given).toMatchObject({ metric, set: { items: 150, dims: 6, queries: 3 } });
    const set = await readSet(given.set, { rows: true });
    expect(set.rows).toEqual(train.data);
    expect(set.queries).toEqual(asked.data);
    expect([...(await truthOf(given.set, '')).subarray(0, 3)]).toEqual([140, 139, 138]);
    const mask = await set.mask('p50');
    const wanted = slowNeighbours(train, asked, K, SCORES[metric], (row) => mask[row] === 1);
    expectLists(await truthOf(given.set, 'p50'), K, wanted);
  });

  test('malformed ones are refused by name', async () => {
    const text = await folder.write('text.hdf5', 'this is no HDF5 file');
    const whole = await readFile(await writeHdf5('whole.hdf5', { train, test: asked, neighbors }, 'angular'));
    const refused = [
      text,
      await folder.write('empty.hdf5', ''),
      await folder.write('cut.hdf5', whole.subarray(0, whole.length >> 1)),
      await writeHdf5('no-train.hdf5', { test: asked, neighbors }, 'angular'),
      await writeHdf5('no-distance.hdf5', { train, test: asked, neighbors }),
      await writeHdf5('jaccard.hdf5', { train, test: asked, neighbors }, 'jaccard'),
    ];
    for (const path of refused) {
      const error = await givenSet(path, 'ip', folder.path('refused')).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'CORRUPT_FILE', message: expect.stringContaining(path) });
    }
  });
});

describe.skipIf(dataFolder('ann-sift128-mnist10k') === undefined)('real sets', () => {
  test('the exact lists of SIFT are those that are computed', async () => {
    const { set, metric } = await givenSet('sift', 'ip', folder.path('real'));
    expect(metric).toBe('l2');
    const { rows, queries } = await readSet(set, { rows: true });
    const all: Vectors = { data: rows as Vectors['data'], shape: [set.items, set.dims] };
    const asked: Vectors = { data: queries as Vectors['data'], shape: [set.queries, set.dims] };
    const computed = await exactNeighbours(all, asked, K, { metric });
    expect(recallOf(computed, await truthOf(set, ''), set.queries)).toBeGreaterThan(0.999);
  });
});

describe('judge', () => {
  const truth = new Int32Array(2 * K).fill(-1);
  truth.set([4, 5, 6], 0);
  truth.set([7], K);
  const mask = Uint8Array.from({ length: 10 }, (_, item) => Number(item >= 4 && item < 8));

  test('counts what was found, what should not have been, and what lacks', () => {
    const answers = { ids: Int32Array.of(4, 5, 9, 7), offsets: Int32Array.of(0, 3, 4) };
    expect(judge(answers, 3, truth, 10, mask)).toEqual({ recall: 3 / 4, depth: 3, violations: 1, missing: 2 });
    expect(judge(answers, 3, truth, 10)).toMatchObject({ violations: 0, missing: 2 });
    expect(judge(answers, 1, truth, 10, mask)).toMatchObject({ recall: 1, depth: 1, missing: 0 });
  });

  test('counts an item that scores as much as the last of the exact list, where scores are known', () => {
    const scores = [0, 9, 3, 3, 5, 4, 3, 8];
    const score = (_query: number, item: number) => scores[item] as number;
    const answers = { ids: Int32Array.of(4, 5, 3, 7), offsets: Int32Array.of(0, 3, 4) };
    expect(judge(answers, 3, truth, 10)).toMatchObject({ recall: 3 / 4 });
    expect(judge(answers, 3, truth, 10, undefined, score)).toMatchObject({ recall: 1 });
    const masked = { ids: Int32Array.of(4, 5, 1, 0), offsets: Int32Array.of(0, 3, 4) };
    expect(judge(masked, 3, truth, 10, mask, score)).toMatchObject({ recall: 2 / 4, violations: 2 });
  });

  test('takes an item that comes twice for one', () => {
    const answers = { ids: Int32Array.of(4, 4, 5, 7, 6, 5), offsets: Int32Array.of(0, 3, 6) };
    expect(judge(answers, 3, truth, 10, mask).missing).toBe(1);
  });
});
