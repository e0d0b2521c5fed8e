import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import type { FilterNode } from '../../lib/filter/ast.js';
import type { AttributeColumn, AttributeColumns } from '../../lib/index/attributes.js';
import { FilterIndex, type FilterIndexOptions, filterPlanInputs } from '../../lib/index/filter_index.js';
import { filterEval } from '../../lib/ops/filter_eval.js';
import { Tensor, tensor } from '../../lib/tensor/tensor.js';
import { failure } from '../failure.js';
import { randomAttributes, randomFilter } from '../filter/random_filter.js';
import { type Attribute, matches } from '../reference/filter.js';

const seed = 20_260_102;
console.log(`seed ${seed}`);

/** A catalogue whose rows are shuffled items with padding between them. */
function layOut(random: Random, items: number): { ordinals: Int32Array; live: Tensor } {
  const rows = 512 * Math.ceil((items * 1.3 + 1) / 512);
  const ordinals = new Int32Array(rows).fill(-1);
  for (let item = 0; item < items; item++) ordinals[item] = item;
  for (let row = rows - 1; row > 0; row--) {
    const other = random.integer(row + 1);
    [ordinals[row], ordinals[other]] = [ordinals[other] as number, ordinals[row] as number];
  }
  const live = new BigInt64Array(rows / 64);
  ordinals.forEach((item, row) => {
    if (item >= 0) (live[row >> 6] as bigint) |= BigInt.asIntN(64, 1n << BigInt(row & 63));
  });
  return { ordinals, live: tensor(live) };
}

/** The items of a mask row, ascending. */
function itemsOf(mask: Tensor, plan: number, ordinals: Int32Array): number[] {
  const words = mask.shape[1] as number;
  const bytes = new Uint8Array((mask.view() as BigInt64Array).slice(plan * words, (plan + 1) * words).buffer);
  const found: number[] = [];
  for (const [row, item] of ordinals.entries()) {
    if (((bytes[row >> 3] as number) >> (row & 7)) & 1) found.push(item);
  }
  return found.sort((a, b) => a - b);
}

function columnsOf(attributes: readonly Attribute[]): AttributeColumns {
  const columns = attributes.map(({ name, multi, values }): [string, AttributeColumn] => [
    name,
    values.map((own) => (multi ? own : own[0])),
  ]);
  return Object.fromEntries(columns);
}

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

describe('manifest and tensors', async () => {
  const random = new Random(seed + 2);
  const items = 900;
  const attributes = randomAttributes(random, items);
  const { ordinals, live } = layOut(random, items);
  const built = await FilterIndex.build(columnsOf(attributes), { ordinals, items, sliceThreshold: 0.08 });
  const manifest = JSON.parse(JSON.stringify(built.manifest()));

  test('give back the same index', async () => {
    const index = FilterIndex.restore(manifest, built.stateDict());
    expect(index.manifest()).toEqual(built.manifest());
    const filters = Array.from({ length: 200 }, () => randomFilter(random, attributes, 3));
    const plans = filters.map((filter) => index.plans.compile(filter));
    expect(plans).toEqual(filters.map((filter) => built.plans.compile(filter)));
    expect((await index.mask(plans, live)).view()).toEqual((await built.mask(plans, live)).view());
    expect(plans.some(({ steps }) => steps.includes(3n))).toBe(true);
  });

  test.each<[string, (manifest: Record<string, never>) => unknown, object]>([
    ['nothing', () => undefined, { code: 'CORRUPT_FILE' }],
    ['a newer version', (m) => ({ ...m, version: 2 }), { code: 'UNSUPPORTED_VERSION', version: 2 }],
    ['hashes', (m) => ({ ...m, hashes: 17 }), { code: 'CORRUPT_FILE', part: 'hashes' }],
    ['no hashes', (m) => ({ ...m, hashes: 0 }), { code: 'CORRUPT_FILE', part: 'hashes' }],
    ['no fields', (m) => ({ ...m, fields: {} }), { code: 'CORRUPT_FILE', part: 'fields' }],
    ['a missing field', (m) => edit(m, (f) => f.pop()), { code: 'CORRUPT_FILE', part: 'dictionaryFields' }],
    ['a repeated name', (m) => edit(m, ([a, b]) => Object.assign(a, { name: b.name })), { part: 'fields' }],
    ['a name', (m) => edit(m, ([a]) => Object.assign(a, { name: 5 })), { part: 'fields' }],
    ['a type', (m) => edit(m, ([a]) => Object.assign(a, { type: 'date' })), { part: 'field "1"' }],
    ['multi', (m) => edit(m, ([a]) => Object.assign(a, { multi: 1 })), { part: 'field "1"' }],
    ['a slice', (m) => edit(m, ([a]) => Object.assign(a, { existsSlice: 9999 })), { part: 'field "1"' }],
    ['half a slice', (m) => edit(m, ([a]) => Object.assign(a, { existsSlice: 0.5 })), { part: 'field "1"' }],
    ['no column', (m) => edit(m, ([a]) => Object.assign(a, { column: undefined })), { part: 'field "1"' }],
    ['a null column', (m) => edit(m, ([a]) => Object.assign(a, { column: null })), { part: 'field "1"' }],
    ['a width', (m) => edit(m, ([a]) => Object.assign(a, { column: { width: 16, index: 0 } })), { part: 'field "1"' }],
    ['an index', (m) => edit(m, ([a]) => Object.assign(a, { column: { width: 64, index: 5 } })), { part: 'field "1"' }],
  ])('a manifest is refused for %s', (_, change, details) => {
    const error = failure(() => FilterIndex.restore(change(structuredClone(manifest)), built.stateDict()));
    expect(error).toMatchObject({ code: 'CORRUPT_FILE', ...details });
  });

  // biome-ignore lint/suspicious/noExplicitAny: broken on purpose
  function edit(broken: any, change: (fields: any) => unknown): unknown {
    change(broken.fields);
    return broken;
  }

  test.each([...built.stateDict().keys()])('%s is refused when it is missing, cut or of another type', (name) => {
    const whole = built.stateDict();
    const { dtype, shape, nbytes } = whole.get(name) as Tensor;
    const [length = 0, ...rest] = shape;
    const broken: (Tensor | undefined)[] = [
      undefined,
      Tensor.allocate(dtype, [length, ...rest, 1]),
      Tensor.allocate(dtype === 'uint8' ? 'int8' : 'uint8', [nbytes]),
    ];
    // Fewer slices or columns are found by the fields that want them, and those at the end may be nobody's.
    const cut = name === 'slices' || name.startsWith('columns') ? [0, ...rest] : [length - 1, ...rest];
    broken.push(Tensor.allocate(dtype, cut));
    for (const replacement of broken) {
      const tensors = new Map(whole);
      if (replacement === undefined) tensors.delete(name);
      else tensors.set(name, replacement);
      expect(failure(() => FilterIndex.restore(manifest, tensors)).code).toBe('CORRUPT_FILE');
    }
  });

  test('wrong entries of the dictionary are found when they are used', () => {
    const spoil = (name: string, change: (view: never) => void) => {
      const tensors = new Map(built.stateDict());
      const { dtype, shape } = tensors.get(name) as Tensor;
      const copy = (tensors.get(name) as Tensor).view().slice();
      change(copy as never);
      tensors.set(name, tensor(copy, { dtype, shape }));
      return () => FilterIndex.restore(manifest, tensors);
    };
    const inner = (value: bigint) => spoil('dictionaryOffsets', (view: BigInt64Array) => view.fill(value, 1, -1));
    for (const value of [-1n, 2n ** 40n, -(2n ** 63n)]) {
      expect(failure(() => inner(value)().plans.compile('language:en'))).toMatchObject({ part: 'dictionaryOffsets' });
    }
    const slices = spoil('dictionarySlices', (view: Int32Array) => view.fill(9999));
    expect(failure(() => slices().plans.compile('language:en'))).toMatchObject({ part: 'dictionarySlices' });
    const ends = spoil('termOffsets', (view: BigInt64Array) => view.fill(5n, -1));
    expect(failure(ends)).toMatchObject({ code: 'CORRUPT_FILE', part: 'termOffsets' });
    const fields = spoil('dictionaryFields', (view: Int32Array) => view.fill(1 << 30, 1, 2));
    expect(failure(fields)).toMatchObject({ code: 'CORRUPT_FILE', part: 'dictionaryFields' });
  });
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
