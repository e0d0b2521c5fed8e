import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { FilterIndex } from '../../lib/index/filter_index.js';
import { Tensor, tensor } from '../../lib/tensor/tensor.js';
import { failure } from '../failure.js';
import { randomAttributes, randomFilter } from '../filter/random_filter.js';
import { columnsOf, layOut } from './catalogue.js';

const seed = 20_260_103;
console.log(`seed ${seed}`);

describe('manifest and tensors', async () => {
  const random = new Random(seed);
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
    ['a newer version', (m) => ({ ...m, version: 3 }), { code: 'UNSUPPORTED_VERSION', version: 3 }],
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
    const ends = spoil('termOffsets', (view: Int32Array) => view.fill(5, -1));
    expect(failure(ends)).toMatchObject({ code: 'CORRUPT_FILE', part: 'termOffsets' });
    const fields = spoil('dictionaryFields', (view: Int32Array) => view.fill(1 << 30, 1, 2));
    expect(failure(fields)).toMatchObject({ code: 'CORRUPT_FILE', part: 'dictionaryFields' });
  });
});
