import { f, type RetrievalModel } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { formatFilter, randomFilter } from '../filter/random_filter.js';
import { columnsOf } from '../index/catalogue.js';
import { testDevice } from '../support/device.js';
import { expectCode, property } from '../support/ops.js';
import { processorTimer } from '../support/processor_time.js';
import { publishCatalogue, ReferenceRetrieval, randomCatalogue, randomVectors } from './catalogue.js';
import { publish } from './publish.js';

describe('filter violations are 0 and missed items are 0', () => {
  for (const [mode, clusters] of [
    ['flat', 'flat'],
    ['IVF', 40],
  ] as const) {
    property(`${mode} mode, random attributes and filters`, 3, async (random) => {
      const catalogue = randomCatalogue(random, { items: 1500, dims: 8, attributes: true });
      const { attributes = [], items, dims } = catalogue;
      const reference = new ReferenceRetrieval(catalogue);
      const layout = { sliceThreshold: random.pick([0, 0.01, 0.1, 2]), bitsPerTerm: random.pick([1, 4, 12]) };
      using model = await publishCatalogue(catalogue, { index: { clusters, probes: 1 }, filter: layout });
      for (let i = 0; i < 40; i++) {
        const filter = randomFilter(random, attributes, 4);
        const given = random.chance(0.5) ? formatFilter(filter, random) : filter;
        const embedding = randomVectors(random, 1, dims);
        const k = random.pick([1, 20, items]);
        const { ids } = await model.retrieve({ embedding, filter: given, k });
        const eligible = new Set<unknown>(reference.eligible({ filter }));
        expect(ids.filter((id) => !eligible.has(id))).toEqual([]);
        expect(ids.length).toBe(Math.min(k, eligible.size));
      }
    });
  }
});

describe('every selectivity', () => {
  const items = testDevice === 'cpu' ? 20_000 : 5000;
  const shares = { half: 2, tenth: 10, percent: 100, permille: 1000, single: items };
  const random = new Random(20260502);
  const data = randomVectors(random, items, 16);
  const attributes = Object.entries(shares).map(([name, every]) => {
    const values = Array.from({ length: items }, (_, i) => [(i * 7919) % every === 0]);
    return { name, type: 'boolean' as const, multi: false, values };
  });
  const catalogue = { items, dims: 16, data, attributes };
  const reference = new ReferenceRetrieval(catalogue);

  for (const clusters of ['flat', 128] as const) {
    test(`from 50 % to one single eligible item and none: ${clusters === 'flat' ? 'flat' : 'IVF'}`, async () => {
      using model = await publishCatalogue(catalogue, { index: { clusters } });
      for (const [name, every] of Object.entries(shares)) {
        const embedding = randomVectors(random, 1, 16);
        const { ids, stats } = await model.retrieve({ embedding, filter: `${name}:true`, k: 300 });
        const filter = { eq: [name, true] } as const;
        const eligible = new Set<unknown>(reference.eligible({ filter }));
        expect(eligible.size).toBe(items / every);
        expect(ids.every((id) => eligible.has(id))).toBe(true);
        expect(ids.length).toBe(Math.min(300, eligible.size));
        expect(stats.strategy === 'flat').toBe(clusters === 'flat');
        if (clusters === 'flat') {
          expect(ids).toEqual(reference.retrieve({ heads: [embedding], k: 300, filter }).map(({ id }) => id));
        }
      }
      const none = await model.retrieve({ embedding: data.slice(0, 16), filter: 'half:true AND NOT half:true' });
      expect(none).toMatchObject({ ids: [], stats: { eligibleRows: 0, scannedRows: 0, candidates: 0 } });
      expect(none.scores).toEqual(new Float32Array(0));
    });
  }
});

describe('integer names and values are ordinary names and values', async () => {
  // Four items with multi-valued fields named 1 and 2.
  const model = await fourItems();
  const found = async (filter: string) => ((await model.retrieve({ embedding, filter })).ids as number[]).sort();
  const embedding = Float32Array.of(1, 1);

  test.each([
    ['1:100', [0, 1, 3]],
    ['1:100 AND NOT 2:201', [1, 3]],
    ['1:102 OR 2:203', [2, 3]],
    ['1:100 AND 2:200', [0, 1, 3]],
    ['1:102', [2]],
    ['', [0, 1, 2, 3]],
    ['*', [0, 1, 2, 3]],
    ['NOT 1:100', [2]],
    ['NOT *', []],
    ['1:999', []],
    ['NOT 1:999', [0, 1, 2, 3]],
    ['1:(101 OR 102)', [1, 2]],
    ['EXISTS(1) AND NOT EXISTS(2)', []],
  ] as const)('%s', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  test('NOT binds tighter than AND, AND tighter than OR', async () => {
    for (const [bare, bracketed] of [
      ['NOT 1:101 AND 2:200', '(NOT 1:101) AND 2:200'],
      ['2:202 OR 2:201 AND 1:101', '2:202 OR (2:201 AND 1:101)'],
      ['NOT 2:201 OR 1:100', '(NOT 2:201) OR 1:100'],
      ['NOT NOT 1:100', '1:100'],
    ] as const) {
      expect(await found(bare)).toEqual(await found(bracketed));
    }
    expect(await found('NOT 1:101 AND 2:200')).not.toEqual(await found('NOT (1:101 AND 2:200)'));
    expect(await found('2:202 OR 2:201 AND 1:101')).not.toEqual(await found('(2:202 OR 2:201) AND 1:101'));
  });

  test('text, builder and JSON tree give the same answers', async () => {
    const tree = f.and(f.eq('1', 100), f.not(f.eq('2', '201')));
    for (const filter of ['1:100 AND NOT 2:201', tree, JSON.parse(JSON.stringify(tree))]) {
      expect((await model.retrieve({ embedding, filter })).ids).toEqual([1, 3]);
    }
  });

  async function fourItems(): Promise<RetrievalModel> {
    const one = [[100], [100, 101], [102], [100]];
    const two = [[200, 201], [200], [202], [200, 203]];
    const embeddings = { data: new Float32Array(8).fill(1), shape: [4, 2] as const };
    return publish({ items: { ids: [0, 1, 2, 3], embeddings, attributes: { 1: one, 2: two } } });
  }
});

describe('hostile filters are refused quickly, with position', async () => {
  const catalogue = randomCatalogue(new Random(1), { items: 100, dims: 4, attributes: true });
  const model = await publishCatalogue(catalogue);
  const embedding = catalogue.data.slice(0, 4);

  test.each([
    ['200 000 parentheses', `${'('.repeat(200_000)}flag:true${')'.repeat(200_000)}`, 'LIMIT_EXCEEDED'],
    ['200 000 open parentheses', '('.repeat(200_000), 'LIMIT_EXCEEDED'],
    ['200 000 NOTs', `${'NOT '.repeat(50_000)}*`, 'LIMIT_EXCEEDED'],
    ['1 MB of text', 'flag:true OR '.repeat(80_000), 'LIMIT_EXCEEDED'],
    ['a value of 1 MB', `language:${'x'.repeat(1 << 20)}`, 'LIMIT_EXCEEDED'],
    ['too many terms', Array.from({ length: 5000 }, (_, i) => `year:${i}`).join(' OR '), 'LIMIT_EXCEEDED'],
    ['an integer beyond int64', 'year:99999999999999999999999', 'FILTER_SYNTAX'],
    ['a value of the wrong kind', 'year:abc', 'FILTER_SYNTAX'],
    ['a range on a string', 'language:[1 TO 2]', 'FILTER_SYNTAX'],
    ['no operator between terms', 'flag:true flag:false', 'FILTER_SYNTAX'],
    ['an open parenthesis', '(flag:true', 'FILTER_SYNTAX'],
    ['an unknown field', 'flag:true AND colour:red', 'UNKNOWN_FIELD'],
  ] as const)('%s', async (_, filter, code) => {
    const spent = processorTimer();
    const [error] = await model.retrieve([{ embedding, filter }]);
    expect(spent()).toBeLessThan(500);
    expect(error).toMatchObject({ code });
    if (code !== 'LIMIT_EXCEEDED') expect((error as unknown as { position: number }).position).toBeTypeOf('number');
  });

  test('deep trees', async () => {
    let tree: object = { eq: ['flag', true] };
    for (let depth = 0; depth < 100_000; depth++) tree = { not: tree };
    await expectCode('LIMIT_EXCEEDED', () => model.retrieve({ embedding, filter: tree as never }));
    const cycle: { not?: object } = {};
    cycle.not = cycle;
    await expectCode('LIMIT_EXCEEDED', () => model.retrieve({ embedding, filter: cycle as never }));
  });

  test('4 096 terms and 200 levels are none of them', async () => {
    const terms = Array.from({ length: 4096 }, (_, i) => `year:${i}`).join(' OR ');
    expect((await model.retrieve({ embedding, filter: terms })).stats.exact).toBe(true);
    const deep = `${'('.repeat(200)}flag:true${')'.repeat(200)}`;
    expect((await model.retrieve({ embedding, filter: deep })).ids.length).toBeGreaterThan(0);
  });
});

test('exact: false skips the check of Bloom hits and tells the rate of false positives', async () => {
  const items = 5000;
  const random = new Random(8);
  const tags = Array.from({ length: items }, () => [`t${random.integer(800)}`, `t${random.integer(800)}`]);
  const attributes = [{ name: 'tag', type: 'string' as const, multi: true, values: tags }];
  const catalogue = { items, dims: 8, data: randomVectors(random, items, 8), attributes };
  expect(columnsOf(attributes).tag).toHaveLength(items);
  using model = await publishCatalogue(catalogue, { filter: { sliceThreshold: 2, bitsPerTerm: 2 } });
  const request = { embedding: catalogue.data.slice(0, 8), filter: 'tag:t7', k: items };
  const exact = await model.retrieve(request);
  const rough = await model.retrieve({ ...request, exact: false });
  const truth = tags.flatMap((own, item) => (own.includes('t7') ? [item] : []));
  expect([...(exact.ids as number[])].sort((a, b) => a - b)).toEqual(truth);
  expect(exact.stats).toMatchObject({ exact: true, eligibleRows: truth.length });
  expect(exact.stats.doubtfulRows).toBeGreaterThanOrEqual(truth.length);
  expect(exact.stats.falsePositiveRate).toBeUndefined();
  expect(rough.stats).toMatchObject({ exact: false, eligibleRows: rough.ids.length });
  expect(rough.ids).toEqual(expect.arrayContaining(exact.ids));
  expect(rough.ids.length).toBeGreaterThan(exact.ids.length);
  expect(rough.stats.falsePositiveRate).toBeGreaterThanOrEqual((rough.ids.length - exact.ids.length) / items);
});
