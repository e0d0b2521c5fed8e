import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import type { FilterNode } from '../../lib/filter/ast.js';
import type { TermField } from '../../lib/index/attributes.js';
import { FilterIndex, type FilterIndexOptions, filterPlanInputs } from '../../lib/index/filter_index.js';
import { filterEval } from '../../lib/ops/filter_eval.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { randomAttributes, randomFilter } from '../filter/random_filter.js';
import { matches } from '../reference/filter.js';
import { columnsOf, itemsOf, layOut } from './catalogue.js';

const seed = 20_260_102;
console.log(`seed ${seed}`);

function bounds(index: FilterIndex, filters: readonly FilterNode[], live: Tensor) {
  const { offsets, steps } = index.encodePlans(filters.map((filter) => index.plans.compile(filter)));
  const plans = { offsets: tensor(offsets), steps: tensor(steps, { shape: [steps.length / 4, 4] }) };
  return filterEval(plans, live, index, { hashes: index.hashes });
}

const LAYOUTS: [string, FilterIndexOptions][] = [
  ['as it comes', {}],
  ['slices only', { sliceThreshold: 0 }],
  ['Bloom only', { sliceThreshold: Infinity }],
  ['a crowded signature', { sliceThreshold: Infinity, bitsPerTerm: 1, hashes: 1 }],
  ['many positions', { sliceThreshold: 0.2, bitsPerTerm: 256, hashes: 16 }],
];

describe('masks are what the filter says', () => {
  test.each(LAYOUTS)('%s', async (_, options) => {
    const random = new Random(seed);
    let violations = 0;
    let missed = 0;
    let doubtful = 0;
    let selected = 0;
    for (const items of [1, 60, 700, 1500]) {
      const attributes = randomAttributes(random, items);
      const { ordinals, live } = layOut(random, items);
      const index = await FilterIndex.build(columnsOf(attributes), { ordinals, items, ...options });
      const filters = Array.from({ length: 150 }, () => randomFilter(random, attributes, 3)).filter((filter) => {
        try {
          index.plans.compile(filter);
          return true;
        } catch {
          return false; // with few items a field may be of another type, e.g. integers in a float64 column
        }
      });
      expect(filters.length).toBeGreaterThan(items < 60 ? 10 : 140);
      const masks = await index.mask(
        filters.map((filter) => index.plans.compile(filter)),
        live,
      );
      for (const [i, filter] of filters.entries()) {
        const found = itemsOf(masks, i, ordinals);
        const truth = ordinals.filter((item) => item >= 0 && matches(filter, attributes, item)).sort();
        violations += found.filter((item) => !truth.includes(item)).length;
        missed += truth.length - found.length;
        selected += truth.length / items / filters.length / 4;
        expect(index.plans.compile(filter).atMost).toBeGreaterThanOrEqual(truth.length);
        expect(found, JSON.stringify(filter)).toEqual(Array.from(truth));
      }
      const { lo, hi } = await bounds(index, filters.slice(0, 20), live);
      const [low, high] = [lo.view() as BigInt64Array, hi.view() as BigInt64Array];
      for (const [i, word] of low.entries()) {
        expect(word & ~(high[i] as bigint)).toBe(0n);
        if (word !== high[i]) doubtful++;
      }
    }
    console.log(
      `${violations} violations, ${missed} missed, ${doubtful} doubtful words, ${(100 * selected).toFixed(1)} %`,
    );
    if (options.sliceThreshold === 0) expect(doubtful).toBe(0);
    if (options.sliceThreshold === Infinity) expect(doubtful).toBeGreaterThan(0);
  });
});

test('selectivities from half the items to one, also under NOT', async () => {
  const random = new Random(seed + 1);
  const items = 20_000;
  const shares = [0.5, 0.1, 0.01, 0.001, 1 / items];
  const tags = Array.from({ length: items }, (_, item) =>
    shares.flatMap((share, i) => (item === 7 || random.chance(share) ? [`tag${i}`] : [])),
  );
  const creator = Array.from({ length: items }, () => `creator ${random.integer(2000)}`);
  const { ordinals, live } = layOut(random, items);
  const index = await FilterIndex.build({ tags, creator }, { ordinals, items });
  const texts = shares.flatMap((_, i) => [`tags:tag${i}`, `NOT tags:tag${i}`]);
  texts.push(
    'creator:"creator 5"',
    'NOT creator:"creator 5"',
    'tags:tag1 AND NOT creator:("creator 1" OR "creator 2")',
  );
  const truths = shares.flatMap((_, i) => {
    const has = (item: number) => tags[item]?.includes(`tag${i}`) === true;
    return [has, (item: number) => !has(item)];
  });
  const by = (item: number, ...numbers: number[]) => numbers.some((n) => creator[item] === `creator ${n}`);
  truths.push(
    (item) => by(item, 5),
    (item) => !by(item, 5),
    (item) => tags[item]?.includes('tag1') === true && !by(item, 1, 2),
  );
  const masks = await index.mask(
    texts.map((text) => index.plans.compile(text)),
    live,
  );
  const most = (text: string) => index.plans.compile(text).atMost;
  expect(shares.map((_, i) => most(`tags:tag${i}`))).toEqual(
    shares.map((_, i) => tags.filter((own) => own.includes(`tag${i}`)).length),
  );
  expect(most('tags:tag3 AND creator:"creator 5"')).toBeLessThanOrEqual(most('creator:"creator 5"'));
  expect(most('tags:(tag3 OR tag4)')).toBe(most('tags:tag3') + most('tags:tag4'));
  expect([most('NOT tags:tag3'), most('EXISTS(tags)'), most('tags:none')]).toEqual([Infinity, Infinity, 0]);
  for (const [i, truth] of truths.entries()) {
    const expected = Array.from({ length: items }, (_, item) => item).filter(truth);
    expect(itemsOf(masks, i, ordinals), texts[i]).toEqual(expected);
  }
  const term = index.schema.fields.get('tags');
  expect(term?.lookup('tag0')?.kind).toBe('slice');
  expect(term?.lookup('tag3')?.kind).toBe('bloom');
  expect(term?.lookup('tag9')).toBeUndefined();
});

test('tensors hold what there is, and nothing where there is nothing', async () => {
  const { ordinals, live } = layOut(new Random(seed), 100);
  const shapes = (index: FilterIndex) => Object.fromEntries([...index.buffers()].map(([k, v]) => [k, [...v.shape]]));
  const empty = await FilterIndex.build({}, { ordinals, items: 100 });
  expect(empty.parameters().size).toBe(0);
  expect(shapes(empty)).toEqual({
    slices: [0, 8],
    bloom: [0, 8],
    bloomOffsets: [2],
    columns32: [0, 512],
    columns64: [0, 512],
    termOffsets: [0],
    terms: [0],
    dictionaryBytes: [0],
    dictionaryOffsets: [1],
    dictionaryFields: [1],
    dictionarySlices: [0],
    dictionaryItems: [0],
  });
  expect(itemsOf(await empty.mask([empty.plans.compile('*')], live), 0, ordinals)).toHaveLength(100);
  expect(FilterIndex.restore(empty.manifest(), empty.stateDict()).manifest()).toEqual(empty.manifest());

  const year = Array.from({ length: 100 }, (_, i) => 1900 + i);
  const price = year.map((y) => (y % 2 ? y / 7 : null));
  const index = await FilterIndex.build(
    { year, price, big: year.map((y) => y * 2 ** 30), nothing: year.map(() => null), flag: year.map((y) => y > 1950) },
    { ordinals, items: 100 },
  );
  expect(index.manifest().fields).toEqual([
    { name: 'year', type: 'int64', multi: false, existsSlice: -1, column: { width: 32, index: 0 } },
    { name: 'price', type: 'float64', multi: false, existsSlice: 0, column: { width: 64, index: 0 } },
    { name: 'big', type: 'int64', multi: false, existsSlice: -1, column: { width: 64, index: 1 } },
    { name: 'nothing', type: 'string', multi: false, existsSlice: 1 },
    { name: 'flag', type: 'boolean', multi: false, existsSlice: -1 },
  ]);
  expect(shapes(index)).toMatchObject({ slices: [4, 8], bloom: [0, 8], columns32: [1, 512], columns64: [2, 512] });
  const texts = ['EXISTS(nothing)', 'NOT nothing:x', 'price:<275 AND NOT flag:true', `big:${1926 * 2 ** 30}`];
  const masks = await index.mask(
    texts.map((text) => index.plans.compile(text)),
    live,
  );
  expect(texts.map((_, i) => itemsOf(masks, i, ordinals).length)).toEqual([0, 100, 12, 1]);
});

test('plans of a batch are shared where they are equal', async () => {
  const { ordinals } = layOut(new Random(seed), 4);
  const index = await FilterIndex.build({ language: ['en', 'de', 'en', null] }, { ordinals, items: 4 });
  const compile = (text: string) => index.plans.compile(text);
  const plans = [compile('language:en'), undefined, compile('NOT language:de'), compile('(language:"en")')];
  const { index: of, offsets, steps } = index.encodePlans(plans);
  expect(Array.from(of)).toEqual([0, -1, 1, 0]);
  expect(Array.from(offsets)).toEqual([0, 1, 3]);
  expect(steps).toHaveLength(12);
  expect(index.encodePlans([undefined])).toEqual({
    index: Int32Array.of(-1),
    offsets: Int32Array.of(0),
    steps: new BigInt64Array(0),
  });
  expect(Object.keys(filterPlanInputs())).toEqual(['index', 'offsets', 'steps']);
});

test.each<[string, object]>([
  ['no Int32Array', { ordinals: [0] }],
  ['a part of a block', { ordinals: new Int32Array(511) }],
  ['an item too many', { ordinals: new Int32Array(512).fill(2) }],
  ['bitsPerTerm', { bitsPerTerm: 0.5 }],
  ['hashes', { hashes: 17 }],
  ['sliceThreshold', { sliceThreshold: Number.NaN }],
])('options are refused: %s', async (_, options) => {
  const good = { ordinals: new Int32Array(512), items: 2 };
  await expect(FilterIndex.build({ a: ['x', 'y'] }, { ...good, ...options })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});

// Counting them takes seconds.
test('2^31 exact terms are refused', async () => {
  const values = 2 ** 22;
  const field: TermField = {
    ...{ kind: 'terms', name: 'tags', type: 'string', multi: true, texts: ['x'] },
    ...{ present: Uint8Array.of(1), offsets: Uint32Array.of(0, values), codes: new Int32Array(values) },
  };
  const options = { ordinals: new Int32Array(512), items: 1, sliceThreshold: Infinity };
  const limits = { code: 'LIMIT_EXCEEDED', entries: 2 ** 31, limit: 2 ** 31 - 1 };
  await expect(FilterIndex.build([field], options)).rejects.toMatchObject(limits);
});
