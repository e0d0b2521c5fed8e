import { describe, expect, test } from 'vitest';
import { MAX_FILTER_TERMS, MAX_FILTER_TEXT } from '../../lib/filter/ast.js';
import { checkFilter } from '../../lib/filter/check.js';
import { parseFilter } from '../../lib/filter/parser.js';
import { failure } from '../failure.js';
import { processorTimer } from '../support/processor_time.js';

const eq = (field: string, value: string) => ({ eq: [field, value] });

describe('grammar', () => {
  test.each([
    ['', { all: true }],
    [' \n\t ', { all: true }],
    ['*', { all: true }],
    ['( * )', { all: true }],
    ['NOT *', { not: { all: true } }],
    ['language:en', eq('language', 'en')],
    [' language : en ', eq('language', 'en')],
    ['"my field":"two words"', eq('my field', 'two words')],
    [String.raw`title:"say \"hi\" \\ bye"`, eq('title', String.raw`say "hi" \ bye`)],
    ['title:""', eq('title', '')],
    ['größe:東京', eq('größe', '東京')],
    ['a_b-c.d/e:x/1.2-3_4', eq('a_b-c.d/e', 'x/1.2-3_4')],
    ['1:100', eq('1', '100')],
    ['-1:-200', eq('-1', '-200')],
    ['1:9223372036854775807', eq('1', '9223372036854775807')],
    ['1:10AND2', eq('1', '10AND2')],
    ['country:"OR"', eq('country', 'OR')],
    ['country:TO', eq('country', 'TO')],
    ['EXISTS:EXISTS', eq('EXISTS', 'EXISTS')],
    ['not:and', eq('not', 'and')],
    ['EXISTS(tag)', { exists: 'tag' }],
    ['EXISTS ( "odd name" )', { exists: 'odd name' }],
    ['"EXISTS":x', eq('EXISTS', 'x')],
    ['tag:(pop OR rock)', { in: ['tag', ['pop', 'rock']] }],
    ['tag:(pop)', { in: ['tag', ['pop']] }],
    ['tag:("a b" OR c)', { in: ['tag', ['a b', 'c']] }],
    ['year:[1990 TO 2000]', { range: ['year', { gte: 1990, lte: 2000 }] }],
    ['year:[1990 TO 2000}', { range: ['year', { gte: 1990, lt: 2000 }] }],
    ['year:{-5 TO .5]', { range: ['year', { gt: -5, lte: '.5' }] }],
    ['year:{* TO 1e3}', { range: ['year', { lt: '1e3' }] }],
    ['year:[* TO *]', { range: ['year', {}] }],
    ['price:<20', { range: ['price', { lt: 20 }] }],
    ['price:<= 19.99', { range: ['price', { lte: 19.99 }] }],
    ['price:>-1', { range: ['price', { gt: -1 }] }],
    ['id:>=9007199254740993', { range: ['id', { gte: '9007199254740993' }] }],
    ['id:<4611686018427388000', { range: ['id', { lt: '4611686018427388000' }] }],
    ['price:<"1e+5"', { range: ['price', { lt: '1e+5' }] }],
    ['a:1 AND b:2 AND c:3', { and: [eq('a', '1'), eq('b', '2'), eq('c', '3')] }],
    ['(a:1)AND(b:2)', { and: [eq('a', '1'), eq('b', '2')] }],
    ['NOT(a:1)', { not: eq('a', '1') }],
    ['NOT NOT a:1', { not: { not: eq('a', '1') } }],
    ['((a:1))', eq('a', '1')],
  ])('%j', (text, tree) => {
    expect(parseFilter(text)).toEqual(tree);
    expect(checkFilter(JSON.parse(JSON.stringify(tree)))).toEqual(tree);
  });

  test.each([
    ['NOT 1:10 AND 2:20', '(NOT 1:10) AND 2:20'],
    ['1:10 OR 2:20 AND 3:30', '1:10 OR (2:20 AND 3:30)'],
    ['1:10 AND 2:20 OR 3:30', '(1:10 AND 2:20) OR 3:30'],
    ['NOT 1:10 OR 2:20', '(NOT 1:10) OR 2:20'],
    ['NOT NOT 1:10 AND NOT 2:20 OR NOT 3:30', '((NOT (NOT 1:10)) AND (NOT 2:20)) OR (NOT 3:30)'],
  ])('precedence: %s = %s', (a, b) => {
    expect(parseFilter(a)).toEqual(parseFilter(b));
  });

  test('parentheses change the meaning', () => {
    expect(parseFilter('(1:10 OR 2:20) AND 3:30')).not.toEqual(parseFilter('1:10 OR 2:20 AND 3:30'));
    expect(parseFilter('NOT (1:10 AND 2:20)')).not.toEqual(parseFilter('NOT 1:10 AND 2:20'));
  });
});

describe('faults are reported where they are', () => {
  test.each([
    ['42', 2],
    ['and', 3],
    ['NOT', 3],
    ['AND', 0],
    ['()', 1],
    [':x', 0],
    ['1:', 2],
    ['1:10 AND', 8],
    ['1:10 OR AND 2:20', 8],
    ['(1:10 AND 2:20', 0],
    ['((1:10)', 0],
    ['1:10)', 4],
    ['1:10 2:20', 5],
    ['1:10 XOR 2:20', 5],
    ['1:10 and 2:20', 5],
    ['1:10 && 2:20', 5],
    ['!1:1', 0],
    ['1:10AND2:20', 8],
    ['1:2:3', 3],
    ['--1:2', 0],
    ['-x:2', 0],
    ['tag:-x', 4],
    ['tag:c++', 5],
    ['tag:x!', 5],
    ['tag:🎧', 4],
    ['tag:"open', 4],
    [String.raw`tag:"bad \n"`, 9],
    ['tag:"a"b', 7],
    ['"tag"', 5],
    ['tag:*', 4],
    ['tag:OR', 4],
    ['NOT:x', 3],
    ['tag:()', 5],
    ['tag:(a b)', 7],
    ['tag:(a AND b)', 7],
    ['tag:(a OR)', 9],
    ['tag:(a', 6],
    ['EXISTS()', 7],
    ['EXISTS(a', 8],
    ['EXISTS tag', 7],
    ['year:[1990 2000]', 11],
    ['year:[1990 TO]', 13],
    ['year:[1990 TO 2000', 18],
    ['year:[a TO 2000]', 6],
    ['year:[1990 to 2000]', 11],
    ['year:[2. TO 3]', 6],
    ['price:<', 7],
    ['price:<cheap', 7],
    ['price:=5', 6],
    ['price:<*', 7],
    ['price:< -', 8],
  ])('%j at %i', (text, position) => {
    expect(failure(() => parseFilter(text))).toMatchObject({ code: 'FILTER_SYNTAX', position });
  });

  test('a text must be a text', () => {
    expect(failure(() => parseFilter(5 as unknown as string))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('limits', () => {
  const terms = (count: number, by: string) => Array.from({ length: count }, (_, i) => `f:${i}`).join(by);

  test('what the contract promises is accepted', () => {
    expect(parseFilter(`${'('.repeat(256)}a:1${')'.repeat(256)}`)).toEqual(eq('a', '1'));
    parseFilter(`${'NOT '.repeat(256)}a:1`);
    parseFilter(`${'NOT ('.repeat(256)}a:1${')'.repeat(256)}`);
    parseFilter(terms(MAX_FILTER_TERMS, ' OR '));
    parseFilter(`f:("${'x'.repeat(MAX_FILTER_TEXT - 6)}")`);
  });

  test('whatever parses is accepted as a tree', () => {
    const deepest = `${'a:1 OR b:1 AND ('.repeat(510)}a:1${')'.repeat(510)}`;
    expect(checkFilter(parseFilter(deepest))).toEqual(parseFilter(deepest));
    expect(failure(() => parseFilter(`(${deepest})`))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test.each([
    ['200 000 open parentheses', '('.repeat(200_000), 'LIMIT_EXCEEDED'],
    ['200 000 nested parentheses', `${'('.repeat(200_000)}a:1${')'.repeat(200_000)}`, 'LIMIT_EXCEEDED'],
    ['60 000 NOTs', 'NOT '.repeat(60_000), 'LIMIT_EXCEEDED'],
    ['200 000 NOTs', 'NOT '.repeat(200_000), 'LIMIT_EXCEEDED'],
    ['4 097 terms', terms(MAX_FILTER_TERMS + 1, ' AND '), 'LIMIT_EXCEEDED'],
    ['a list of 4 097 values', `f:(${'x OR '.repeat(MAX_FILTER_TERMS)}x)`, 'LIMIT_EXCEEDED'],
    ['1 MB of one word', 'a'.repeat(1_000_000), 'LIMIT_EXCEEDED'],
    ['1 MB of terms', terms(100_000, ' OR '), 'LIMIT_EXCEEDED'],
    ['256 KiB of one word', 'a'.repeat(MAX_FILTER_TEXT), 'FILTER_SYNTAX'],
    ['256 KiB of quotes', '"'.repeat(MAX_FILTER_TEXT), 'FILTER_SYNTAX'],
    ['256 KiB of spaces and a fault', `${' '.repeat(MAX_FILTER_TEXT - 1)})`, 'FILTER_SYNTAX'],
    ['256 KiB of backslashes', `f:"${'\\'.repeat(MAX_FILTER_TEXT - 3)}`, 'FILTER_SYNTAX'],
    ['256 KiB of digits', `f:<${'9'.repeat(MAX_FILTER_TEXT - 4)}x`, 'FILTER_SYNTAX'],
  ])('%s: an error at once', (name, text, code) => {
    const spent = processorTimer();
    const error = failure(() => parseFilter(text));
    const ms = spent();
    console.log(`${name}: ${ms.toFixed(1)} ms, ${error.message.slice(0, 70)}`);
    expect(error).toMatchObject({ code, position: expect.any(Number) });
    expect(ms).toBeLessThan(2000);
  });
});
