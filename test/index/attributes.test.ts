import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SilverlodeError } from '../../lib/errors.js';
import { type AttributeColumn, type FieldColumn, readAttributes } from '../../lib/index/attributes.js';

const read = async (column: AttributeColumn): Promise<FieldColumn> => {
  const [field] = await readAttributes({ field: column }, column.length);
  return field as FieldColumn;
};

/** The values of every item, as they were encoded. */
function decode(field: FieldColumn): (string | number | bigint)[][] {
  return Array.from(field.present, (present, item) => {
    if (field.kind === 'numbers') return present === 1 ? [field.numbers[item] as number | bigint] : [];
    const codes = field.codes.subarray(field.offsets[item], field.offsets[item + 1]);
    expect(codes.length > 0).toBe(present === 1);
    return Array.from(codes, (code) => field.texts[code] as string);
  });
}

describe('the type of a field follows from all its rows', () => {
  test.each<[string, AttributeColumn, string, boolean, unknown[][]]>([
    ['strings', ['en', '', null, 'en'], 'string', false, [['en'], [''], [], ['en']]],
    ['booleans', [true, undefined, false], 'boolean', false, [['true'], [], ['false']]],
    ['integers', [1, null, -5], 'int64', false, [[1], [], [-5]]],
    ['one fraction', [1, 2.5], 'float64', false, [[1], [2.5]]],
    ['infinity', [1, -Infinity], 'float64', false, [[1], [-Infinity]]],
    ['beyond safe integers', [1, 2 ** 53], 'float64', false, [[1], [2 ** 53]]],
    ['NaN', [Number.NaN, 3], 'int64', false, [[], [3]]],
    ['bigints', [2n ** 63n - 1n, null, -(2n ** 63n)], 'int64', false, [[2n ** 63n - 1n], [], [-(2n ** 63n)]]],
    ['lists', [['a', 'b', 'a'], [], null, 'c'], 'string', true, [['a', 'b'], [], [], ['c']]],
    ['lists with gaps', [[null, 1, Number.NaN], [undefined]], 'int64', true, [['1'], []]],
    ['lists of fractions', [[0.5, -0, 0]], 'float64', true, [['0.5', '0']]],
    ['lists of bigints', [[1n], [2n, 1n]], 'int64', true, [['1'], ['2', '1']]],
    ['lists of booleans', [[true, false]], 'boolean', true, [['true', 'false']]],
    ['nothing', [null, undefined, Number.NaN], 'string', false, [[], [], []]],
    ['no items', [], 'string', false, []],
    ['Int8Array', Int8Array.of(-1, 2), 'int64', false, [[-1], [2]]],
    ['Uint8Array', Uint8Array.of(0, 255), 'int64', false, [[0], [255]]],
    ['Uint32Array', Uint32Array.of(2 ** 32 - 1), 'int64', false, [[2 ** 32 - 1]]],
    ['BigUint64Array', BigUint64Array.of(2n ** 63n - 1n), 'int64', false, [[2n ** 63n - 1n]]],
    ['Float32Array', Float32Array.of(1, Number.NaN), 'float64', false, [[1], []]],
    ['Float64Array', Float64Array.of(0.1, Infinity), 'float64', false, [[0.1], [Infinity]]],
  ])('%s', async (_, column, type, multi, values) => {
    const field = await read(column);
    expect([field.type, field.multi]).toEqual([type, multi]);
    expect(decode(field)).toEqual(values);
  });
});

describe('refused', () => {
  const lone = 'a\ud800';
  test.each<[string, unknown, object]>([
    ['a string among numbers', [1, null, 'x'], { code: 'INVALID_ARGUMENT', field: 'tag', item: 2 }],
    ['a number among strings', ['x', ['y', 1]], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['a bigint among numbers', [1, 1n], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['a boolean among strings', ['true', false], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['an object', ['a', new Date(0)], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['a list in a list', [['a'], [['b']]], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['a function', [() => 1, 'a'], { code: 'INVALID_ARGUMENT', field: 'tag', item: 0 }],
    ['a bigint beyond int64', [1n, 2n ** 63n], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['an unsigned one', BigUint64Array.of(0n, 2n ** 63n), { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['half a surrogate pair', ['a', lone], { code: 'INVALID_ARGUMENT', field: 'tag', item: 1 }],
    ['too few rows', ['a'], { code: 'SHAPE_MISMATCH', field: 'tag' }],
    ['too many rows', Int32Array.of(1, 2, 3), { code: 'SHAPE_MISMATCH', field: 'tag' }],
    ['a string', 'ab', { code: 'INVALID_ARGUMENT', field: 'tag' }],
    ['bytes', new DataView(new ArrayBuffer(2)), { code: 'INVALID_ARGUMENT', field: 'tag' }],
    ['null', null, { code: 'INVALID_ARGUMENT', field: 'tag' }],
  ])('%s', async (_, column, details) => {
    const items = details && 'item' in details ? (column as unknown[]).length : 2;
    const error = await readAttributes({ fine: Array(items).fill('x'), tag: column as AttributeColumn }, items).catch(
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(SilverlodeError);
    expect(error).toMatchObject(details);
    expect(error.message).toContain('"tag"');
  });

  test('anything but an object of columns', async () => {
    for (const columns of [null, [], 'x']) {
      await expect(readAttributes(columns as never, 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });
});

test('timers fire, progress is told, and a signal ends it', async () => {
  const items = 300_000;
  const columns = { a: Array.from({ length: items }, (_, i) => `v${i % 1000}`), b: new Float64Array(items) };
  const done: number[] = [];
  let turns = 0;
  let running = true;
  const ticking = (async () => {
    for (; running; turns++) await turn();
  })();
  await readAttributes(columns, items, { onProgress: (event) => done.push(event.done / event.total) });
  running = false;
  await ticking;
  expect(turns).toBeGreaterThan(10);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(done.at(-1)).toBe(1);

  const reason = new Error('enough');
  const aborted = await readAttributes(columns, items, { signal: AbortSignal.abort(reason) }).catch((error) => error);
  expect(aborted).toMatchObject({ code: 'ABORTED', cause: reason });
});
