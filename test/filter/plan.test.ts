import { describe, expect, test } from 'vitest';
import type { FilterExpr } from '../../lib/filter/ast.js';
import { f } from '../../lib/filter/builder.js';
import { PlanCache } from '../../lib/filter/cache.js';
import { FilterOp } from '../../lib/filter/opcodes.js';
import { parseFilter } from '../../lib/filter/parser.js';
import { compileFilter } from '../../lib/filter/plan.js';
import type { FilterSchema } from '../../lib/filter/schema.js';
import { failure } from '../failure.js';
import { type Attribute, type AttributeValue, ReferenceIndex } from '../reference/filter.js';

const single = (name: string, type: Attribute['type'], values: (AttributeValue | null)[], width?: 32): Attribute => ({
  name,
  type,
  multi: false,
  ...(width ? { width } : {}),
  values: values.map((value) => (value === null ? [] : [value])),
});

const ITEMS = 4;
const index = new ReferenceIndex([
  single('language', 'string', ['en', 'de', '1990', null]),
  { name: 'tag', type: 'string', multi: true, values: [['pop', 'rock'], ['pop'], ['jazz'], []] },
  single('year', 'int64', [1989n, 1990n, 1991n, null], 32),
  single('id', 'int64', [9007199254740992n, 9007199254740993n, 9223372036854775807n, -9223372036854775808n]),
  single('price', 'float64', [-0, 0.1, 20, null]),
  single('fresh', 'boolean', [true, false, true, null]),
  { name: 'sizes', type: 'int64', multi: true, values: [[1n, 2n], [2n], [], [9007199254740993n]] },
]);
const select = (filter: string | FilterExpr) => index.run(compileFilter(filter, index), ITEMS);

test.each<[string | FilterExpr, number[]]>([
  ['', [0, 1, 2, 3]],
  ['language:en', [0]],
  ['language:1990', [2]],
  [{ eq: ['language', 1990] }, [2]],
  ['language:xx', []],
  ['NOT language:xx', [0, 1, 2, 3]],
  ['NOT language:en', [1, 2, 3]],
  ['EXISTS(language)', [0, 1, 2]],
  ['NOT EXISTS(language)', [3]],
  ['EXISTS(id)', [0, 1, 2, 3]],
  ['tag:(pop OR jazz)', [0, 1, 2]],
  ['tag:pop AND NOT tag:rock', [1]],
  [{ in: ['tag', []] }, []],
  [{ and: [] }, [0, 1, 2, 3]],
  [{ or: [] }, []],
  ['fresh:false', [1]],
  [f.eq('fresh', true), [0, 2]],
  ['sizes:2', [0, 1]],
  ['sizes:9007199254740993', [3]],
  ['sizes:9007199254740992', []],
  ['year:1990', [1]],
  ['year:"1990.0"', [1]],
  ['year:1.99e3', [1]],
  ['year:[1989 TO 1990]', [0, 1]],
  ['year:{1989 TO 1991}', [1]],
  ['year:>1989.5', [1, 2]],
  ['year:>=1989.5', [1, 2]],
  ['year:<1990.5', [0, 1]],
  ['year:<=1990.5', [0, 1]],
  ['year:<-0.5', []],
  ['year:>-1e400', [0, 1, 2]],
  ['year:<1e400', [0, 1, 2]],
  ['year:>1e400', []],
  ['year:>1e999999999999', []],
  ['year:>1e-999999999999', [0, 1, 2]],
  ['year:<=3000000000', [0, 1, 2]],
  ['year:3000000000', []],
  ['NOT year:3000000000', [0, 1, 2, 3]],
  ['year:[1995 TO 1990]', []],
  ['NOT year:>0', [3]],
  [{ range: ['year', { gte: 1989, gt: 1989, lte: 1991, lt: 1991 }] }, [1]],
  ['id:9007199254740993', [1]],
  ['id:<9007199254740993', [0, 3]],
  [{ le: ['id', 9007199254740992] }, [0, 3]],
  [{ gt: ['id', 9007199254740992n] }, [1, 2]],
  ['id:>=9223372036854775807', [2]],
  ['id:>9223372036854775807', []],
  ['id:<-9223372036854775808', []],
  ['id:<=-9223372036854775808', [3]],
  ['id:[* TO *]', [0, 1, 2, 3]],
  ['price:0', [0]],
  ['price:-0', [0]],
  ['price:0.1', [1]],
  ['price:.1', [1]],
  ['price:<20', [0, 1]],
  ['price:{0 TO 20}', [1]],
  ['price:>0', [1, 2]],
  ['price:<0', []],
  ['price:>=-5e-324', [0, 1, 2]],
  ['price:[* TO *]', [0, 1, 2]],
])('%o selects %o', (filter, items) => {
  expect(select(filter)).toEqual(items);
});

describe('the catalogue of four documents', () => {
  const corpus = new ReferenceIndex([
    { name: '1', type: 'int64', multi: true, values: [[100n], [100n, 101n], [102n], [100n]] },
    { name: '2', type: 'int64', multi: true, values: [[200n, 201n], [200n], [202n], [200n, 203n]] },
  ]);
  test.each([
    ['1:100', [0, 1, 3]],
    ['1:100 AND NOT 2:201', [1, 3]],
    ['1:102 OR 2:203', [2, 3]],
    ['1:100 AND 2:200', [0, 1, 3]],
    ['1:102', [2]],
    ['', [0, 1, 2, 3]],
  ])('%s', (text, items) => {
    expect(corpus.run(compileFilter(text, corpus), 4)).toEqual(items);
  });
});

describe('faults', () => {
  test.each([
    ['tag:pop AND langauge:en', 'UNKNOWN_FIELD', 12, 'langauge'],
    ['EXISTS(nope)', 'UNKNOWN_FIELD', 7, 'nope'],
    ['* OR nope:1', 'UNKNOWN_FIELD', 5, 'nope'],
    ['constructor:1', 'UNKNOWN_FIELD', 0, 'constructor'],
    ['year:abc', 'FILTER_SYNTAX', 5, 'year'],
    ['year:1990.5', 'FILTER_SYNTAX', 5, 'year'],
    ['year:2.', 'FILTER_SYNTAX', 5, 'year'],
    ['year:(1990 OR x)', 'FILTER_SYNTAX', 14, 'year'],
    ['id:9223372036854775808', 'FILTER_SYNTAX', 3, 'id'],
    ['id:99999999999999999999', 'FILTER_SYNTAX', 3, 'id'],
    ['sizes:-9223372036854775809', 'FILTER_SYNTAX', 6, 'sizes'],
    ['price:cheap', 'FILTER_SYNTAX', 6, 'price'],
    ['price:1e999', 'FILTER_SYNTAX', 6, 'price'],
    ['price:[0 TO 1e999]', 'FILTER_SYNTAX', 12, 'price'],
    ['fresh:yes', 'FILTER_SYNTAX', 6, 'fresh'],
    ['fresh:1', 'FILTER_SYNTAX', 6, 'fresh'],
    ['fresh:>0', 'FILTER_SYNTAX', 0, 'fresh'],
    ['NOT language:[1 TO 2]', 'FILTER_SYNTAX', 4, 'language'],
    ['sizes:>1', 'FILTER_SYNTAX', 0, 'sizes'],
  ])('%s is %s at %i', (text, code, position, field) => {
    expect(failure(() => compileFilter(text, index))).toMatchObject({ code, position, field });
  });

  test('trees are told the path', () => {
    const error = failure(() => compileFilter({ and: [{ all: true }, { eq: ['year', 'x'] }] }, index));
    expect(error).toMatchObject({ code: 'FILTER_SYNTAX', path: '$.and[1]', field: 'year' });
    expect('position' in error).toBe(false);
  });

  test('a tree that was parsed keeps its positions', () => {
    const { and } = compileFilterTree('tag:pop AND year:x');
    expect(failure(() => compileFilter({ or: and }, index))).toMatchObject({ code: 'FILTER_SYNTAX', position: 17 });
  });

  test('an unknown name brings a hint', () => {
    expect(failure(() => compileFilter('langauge:en', index)).message).toContain('did you mean "language"?');
    expect(failure(() => compileFilter('zzzzzzz:en', index)).message).toContain('"language", "tag"');
  });
});

describe('plans', () => {
  const steps = (filter: string | FilterExpr, schema: FilterSchema = index) => {
    const plan = compileFilter(filter, schema);
    return Array.from({ length: plan.steps.length / 4 }, (_, i) => Number(plan.steps[4 * i]));
  };
  const { all, none, slice, bloom, range32, range64, not, and, or } = FilterOp;

  test.each([
    ['', [all]],
    ['NOT *', [none]],
    ['language:xx', [none]],
    ['language:xx OR *', [all]],
    ['language:xx AND language:en', [none]],
    ['language:en', [slice]],
    ['language:de', [bloom]],
    ['NOT NOT language:en', [slice]],
    ['language:en AND language:en', [slice]],
    ['language:en OR (language:en OR language:en)', [slice]],
    ['EXISTS(id)', [all]],
    ['id:5', [range64]],
    ['year:5', [slice, range32, and]],
    ['year:(5 OR 6)', [range32, range32, or, slice, and]],
    ['year:>=5 AND year:<9', [slice, range32, and]],
    ['year:>=9 AND year:<5', [none]],
    ['year:>=5 OR year:<9', [slice, range32, and, slice, range32, and, or]],
    ['language:de AND id:5 AND NOT language:en AND tag:pop', [slice, slice, not, and, range64, and, bloom, and]],
    ['language:de AND (language:en OR tag:rock)', [slice, bloom, or, bloom, and]],
  ])('%s', (text, ops) => {
    expect(steps(text)).toEqual(ops);
  });

  test('steps carry what the kernels need', () => {
    const plan = compileFilter('language:de', index);
    expect([...plan.steps]).toEqual([3n, 0n, BigInt.asIntN(64, 0x8000_0000_0000_0001n), 0n]);
    expect([...compileFilter('id:[-5 TO 7}', index).steps]).toEqual([5n, 0n, -5n, 6n]);
    expect([...compileFilter('year:>=-99999999999 AND year:<=4', index).steps].slice(4, 8)).toEqual([
      4n,
      0n,
      -(2n ** 31n),
      4n,
    ]);
    expect(plan).toMatchObject({ stackDepth: 1, terms: 1 });
    expect(compileFilter('year:5', index)).toMatchObject({ stackDepth: 2, terms: 2 });
    expect(compileFilter('*', index)).toMatchObject({ stackDepth: 1, terms: 0 });
  });

  test('equal plans have equal keys, others do not', () => {
    const key = (text: string) => compileFilter(text, index).key;
    expect(key('language:en AND tag:(pop OR rock)')).toBe(key('(tag:rock OR tag:pop) AND language:en AND *'));
    expect(key('language:en AND tag:pop')).not.toBe(key('language:en OR tag:pop'));
    expect(key('NOT (language:en OR tag:pop)')).not.toBe(key('NOT language:en OR tag:pop'));
  });

  test('the stack stays small, whatever the nesting', () => {
    const flat = Array.from({ length: 4096 }, (_, i) => `id:${i}`);
    expect(compileFilter(flat.join(' OR '), index)).toMatchObject({ stackDepth: 2, terms: 4096 });
    const nested = flat
      .slice(0, 500)
      .map((leaf) => `NOT ${leaf}`)
      .reduce((inner, leaf, i) => `${leaf} ${i % 2 ? 'AND' : 'OR'} (${inner})`);
    expect(compileFilter(nested, index)).toMatchObject({ stackDepth: 2 });
    let level = flat.map((leaf) => `NOT ${leaf}`);
    for (let i = 0; level.length > 1; i++) {
      const pairs = Array.from({ length: level.length / 2 }, (_, j) => [level[2 * j], level[2 * j + 1]]);
      level = pairs.map((pair) => `(${pair.join(i % 2 ? ' AND ' : ' OR ')})`);
    }
    const start = performance.now();
    const plan = compileFilter(level[0] ?? '', index);
    console.log(
      `4096 terms in a balanced tree: stack ${plan.stackDepth}, ${(performance.now() - start).toFixed(1)} ms`,
    );
    expect(plan.stackDepth).toBeLessThanOrEqual(14);
    const chain = flat.slice(0, 4000).map((leaf, i) => (i % 8 ? `${leaf} OR ` : `${leaf}) AND `));
    const left = `${'('.repeat(500)}* AND ${chain.join('')} *`;
    const again = performance.now();
    compileFilter(left, index);
    console.log(`4000 terms nested 500 deep on the left: ${(performance.now() - again).toFixed(1)} ms`);
  });
});

describe('PlanCache', () => {
  test('keeps plans by text and by tree', () => {
    const cache = new PlanCache(index);
    const plan = cache.compile('language:en');
    expect(cache.compile('language:en')).toBe(plan);
    expect(cache.compile(' language:en')).not.toBe(plan);
    const tree = cache.compile(f.eq('id', 5n));
    expect(cache.compile({ has: ['id', 5n] })).toBe(tree);
    expect(failure(() => cache.compile('{"eq":["id","5"]}')).code).toBe('FILTER_SYNTAX');
    expect(() => cache.compile('nope:1')).toThrow('nope');
    expect(() => cache.compile('nope:1')).toThrow('nope');
  });

  test('drops what was not used for longest', () => {
    const cache = new PlanCache(index);
    const first = cache.compile('id:0');
    const second = cache.compile('id:1');
    for (let i = 2; i < 1024; i++) cache.compile(`id:${i}`);
    expect(cache.compile('id:0')).toBe(first);
    cache.compile('id:1024');
    expect(cache.compile('id:0')).toBe(first);
    expect(cache.compile('id:1')).not.toBe(second);
  });

  test('is bounded in bytes', () => {
    const cache = new PlanCache(index);
    const filter = (i: number) => `${Array.from({ length: 4000 }, (_, j) => `id:${j}`).join(' OR ')} OR id:-${i}`;
    const first = cache.compile(filter(0));
    for (let i = 1; i < 200; i++) cache.compile(filter(i));
    expect(cache.compile(filter(0))).not.toBe(first);
  });
});

function compileFilterTree(text: string): { and: readonly FilterExpr[] } {
  return parseFilter(text) as { and: readonly FilterExpr[] };
}
