import { describe, expect, test } from 'vitest';
import { f } from '../../lib/filter/builder.js';
import { checkFilter } from '../../lib/filter/check.js';
import { parseFilter } from '../../lib/filter/parser.js';
import { failure } from '../failure.js';
import { processorTimer } from '../support/processor_time.js';

test.each([
  [{ has: ['tags', 'x'] }, { eq: ['tags', 'x'] }],
  [{ ge: ['year', 1990] }, { range: ['year', { gte: 1990 }] }],
  [{ gt: ['year', 1990] }, { range: ['year', { gt: 1990 }] }],
  [{ le: ['year', '1990'] }, { range: ['year', { lte: '1990' }] }],
  [{ lt: ['year', 1990n] }, { range: ['year', { lt: '1990' }] }],
  [{ between: ['year', 1800, 1949] }, { range: ['year', { gte: 1800, lte: 1949 }] }],
  [{ range: ['year', { gte: 1, lt: undefined }] }, { range: ['year', { gte: 1 }] }],
  [{ eq: ['id', 5n] }, { eq: ['id', '5'] }],
  [{ eq: ['flag', true] }, { eq: ['flag', true] }],
  [{ in: ['tag', []] }, { in: ['tag', []] }],
  [{ and: [] }, { and: [] }],
  [{ not: { or: [{ all: true }, { exists: 'a' }] } }, { not: { or: [{ all: true }, { exists: 'a' }] } }],
])('%o is %o', (tree, checked) => {
  expect(checkFilter(tree)).toEqual(checked);
});

test('the builder gives what the parser gives', () => {
  const built = f.and(
    f.eq('language', 'en'),
    f.or(f.in('tag', new Set(['pop', 'rock'])), f.exists('rank')),
    f.not(f.eq('tag', 'explicit')),
    f.range('year', { gte: 1990, lt: 2000 }),
    f.range('price', { lt: 20 }),
    f.all(),
  );
  const text =
    'language:en AND (tag:(pop OR rock) OR EXISTS(rank)) AND NOT tag:explicit AND year:[1990 TO 2000} AND price:<20 AND *';
  expect(checkFilter(built)).toEqual(parseFilter(text));
});

describe('faults are reported by path', () => {
  test.each([
    [null, '$'],
    ['language:en', '$'],
    [[], '$'],
    [{}, '$'],
    [{ eq: ['a', 'b'], not: { all: true } }, '$'],
    [{ xor: [] }, '$.xor'],
    [{ constructor: [] }, '$.constructor'],
    [JSON.parse('{"__proto__": 1}'), '$.__proto__'],
    [{ all: false }, '$.all'],
    [{ not: 5 }, '$.not'],
    [{ and: { all: true } }, '$.and'],
    [{ and: [{ all: true }, { or: [{ eq: ['a'] }] }] }, '$.and[1].or[0].eq'],
    [{ and: new Array(3) }, '$.and[0]'],
    [{ eq: [5, 'b'] }, '$.eq[0]'],
    [{ eq: ['a', null] }, '$.eq[1]'],
    [{ eq: ['a', Number.NaN] }, '$.eq[1]'],
    [{ eq: ['a', ['b']] }, '$.eq[1]'],
    [{ in: ['a', 'b'] }, '$.in[1]'],
    [{ in: ['a', ['b', {}]] }, '$.in[1][1]'],
    [{ exists: ['a'] }, '$.exists'],
    [{ range: ['a', [1, 2]] }, '$.range[1]'],
    [{ range: ['a', { min: 1 }] }, '$.range[1].min'],
    [{ range: ['a', { gte: 'x' }] }, '$.range[1].gte'],
    [{ range: ['a', { gte: null }] }, '$.range[1].gte'],
    [{ range: ['a', { gte: Number.POSITIVE_INFINITY }] }, '$.range[1].gte'],
    [{ ge: ['a', true] }, '$.ge[1]'],
    [{ between: ['a', 1] }, '$.between'],
  ])('%o at %s', (tree, path) => {
    expect(failure(() => checkFilter(tree))).toMatchObject({ code: 'FILTER_SYNTAX', path });
  });
});

test('hostile trees fail at once', () => {
  let deep: unknown = { all: true };
  for (let i = 0; i < 200_000; i++) deep = i % 2 ? { not: deep } : { and: [deep] };
  const endless: { and: unknown[] } = { and: [] };
  endless.and.push(endless, endless);
  let shared: unknown = { or: [] };
  for (let i = 0; i < 60; i++) shared = { or: [shared, shared] };
  const wide = { in: ['f', new Array(1e9)] };
  for (const tree of [deep, endless, shared, wide]) {
    const spent = processorTimer();
    expect(failure(() => checkFilter(tree))).toMatchObject({ code: 'LIMIT_EXCEEDED', path: expect.any(String) });
    expect(spent()).toBeLessThan(2000);
  }
});
