import { describe, expect, test } from 'vitest';
import { MAX_FORMULA_NODES, MAX_FORMULA_TEXT } from '../../lib/value/ast.js';
import { parseFormula } from '../../lib/value/parser.js';
import { failure } from '../failure.js';
import { processorTimer } from '../support/processor_time.js';

const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name }));

describe('grammar', () => {
  test.each([
    ['1', 1],
    [' .5e-3 ', 0.0005],
    ['a', a],
    ['score', { score: true }],
    ['"score"', { name: 'score' }],
    ['weight.report', { weight: 'report' }],
    ['weight.a.b', { weight: 'a.b' }],
    ['weight', { name: 'weight' }],
    ['"weight.report"', { name: 'weight.report' }],
    [String.raw`"odd \"name\""`, { name: 'odd "name"' }],
    ['größe_1.x', { name: 'größe_1.x' }],
    ['min', { name: 'min' }],
    ['-5', { neg: 5 }],
    ['--a', { neg: { neg: a } }],
    ['a + b + c', { add: [a, b, c] }],
    ['(a + b) + c', { add: [{ add: [a, b] }, c] }],
    ['a + (b + c)', { add: [a, { add: [b, c] }] }],
    ['a - b - c', { sub: [{ sub: [a, b] }, c] }],
    ['a - b + c', { add: [{ sub: [a, b] }, c] }],
    ['a / b * c', { mul: [{ div: [a, b] }, c] }],
    ['a and b and c', { and: [a, b, c] }],
    ['a or b or c', { or: [a, b, c] }],
    ['a-b', { sub: [a, b] }],
    ['a- -b', { sub: [a, { neg: b }] }],
    ['2*-a', { mul: [2, { neg: a }] }],
    ['a <= b', { le: [a, b] }],
    ['a!=b', { ne: [a, b] }],
    ['(a < b) < c', { lt: [{ lt: [a, b] }, c] }],
    ['not not a', { not: { not: a } }],
    ['not a < b', { not: { lt: [a, b] } }],
    ['not(a)', { not: a }],
    ['a < (not b)', { lt: [a, { not: b }] }],
    ['min(a, b, c)', { min: [a, b, c] }],
    ['pow(a, 2)', { pow: [a, 2] }],
    ['clamp(a, 0, 1)', { clamp: [a, 0, 1] }],
    ['if (a < 24, 0.1, 0)', { if: [{ lt: [a, 24] }, 0.1, 0] }],
    ['sigmoid(log1p(exp(a)))', { sigmoid: { log1p: { exp: a } } }],
  ])('%s', (text, tree) => {
    expect(parseFormula(text)).toEqual(tree);
    expect(parseFormula(JSON.parse(JSON.stringify([tree])).at(0))).toEqual(tree);
  });

  test.each([
    ['a or b and c', 'a or (b and c)'],
    ['not a and b', '(not a) and b'],
    ['a and not b or c', '(a and (not b)) or c'],
    ['a < b and b < c', '(a < b) and (b < c)'],
    ['a + b < c * 2', '(a + b) < (c * 2)'],
    ['a + b * c', 'a + (b * c)'],
    ['-a * b', '(-a) * b'],
    ['-a + b', '(-a) + b'],
    ['a == b + c', 'a == (b + c)'],
  ])('precedence: %s = %s', (loose, tight) => {
    expect(parseFormula(loose)).toEqual(parseFormula(tight));
  });

  test('the example of the documentation', () => {
    const text = '2*sigmoid(click) + 0.5*log1p(exp(like)) - weight.report*sigmoid(report) + if(age_hours < 24, 0.1, 0)';
    expect(parseFormula(text)).toEqual(
      parseFormula({
        add: [
          {
            sub: [
              { add: [{ mul: [2, { sigmoid: 'click' }] }, { mul: [0.5, { log1p: { exp: 'like' } }] }] },
              { mul: ['weight.report', { sigmoid: 'report' }] },
            ],
          },
          { if: [{ lt: ['age_hours', 24] }, 0.1, 0] },
        ],
      }),
    );
  });
});

describe('faults are reported where they are', () => {
  test.each([
    ['', 0],
    ['  ', 2],
    ['a b', 2],
    ['2a', 1],
    ['1.', 1],
    ['1.2.3', 3],
    ['1e39', 0],
    ['a +', 3],
    ['+ a', 0],
    ['* a', 0],
    ['a and', 5],
    ['and', 0],
    ['not', 3],
    ['a + not b', 4],
    ['a < b < c', 6],
    ['a == b != c', 7],
    ['a = b', 2],
    ['a ! b', 2],
    ['a ^ b', 2],
    ['a % b', 2],
    ['a & b', 2],
    ['(a', 2],
    ['a)', 1],
    ['()', 1],
    ['sin(a)', 0],
    ['score(a)', 0],
    ['constructor(a)', 0],
    ['add(a, b)', 0],
    ['min(a)', 0],
    ['min()', 4],
    ['pow(a, b, c)', 0],
    ['if(a, b)', 0],
    ['exp(a', 5],
    ['exp(a b)', 6],
    ['1 + exp(a,)', 10],
    ['weight. + 1', 0],
    ['"open', 0],
    ['a + "x\\n"', 6],
  ])('%j at %i', (text, position) => {
    expect(failure(() => parseFormula(text))).toMatchObject({ code: 'FORMULA_SYNTAX', position });
  });

  test.each([
    [null, '$'],
    [true, '$'],
    [[1], '$'],
    [{}, '$'],
    [Number.NaN, '$'],
    [{ add: [1, 1e39] }, '$.add[1]'],
    [{ add: [1] }, '$.add'],
    [{ add: 1 }, '$.add'],
    [{ sub: [1, 2, 3] }, '$.sub'],
    [{ exp: [1] }, '$.exp'],
    [{ not: { sin: 1 } }, '$.not'],
    [{ constructor: [1, 2] }, '$'],
    [{ add: [1, 2], sub: [1, 2] }, '$'],
    [{ score: false }, '$'],
    [{ name: 5 }, '$'],
    [{ weight: 'a', name: 'b' }, '$'],
    [{ mul: [{ if: [1, { lt: ['a', {}] }, 0] }, 1] }, '$.mul[0].if[1].lt[1]'],
  ])('%o at %s', (tree, path) => {
    expect(failure(() => parseFormula(tree as never))).toMatchObject({ code: 'FORMULA_SYNTAX', path });
  });
});

describe('limits', () => {
  test('what is within them is accepted', () => {
    parseFormula(`${'('.repeat(256)}a${')'.repeat(256)}`);
    parseFormula(`${'-'.repeat(256)}a`);
    parseFormula(new Array(2047).fill('a').join(' + '));
    const alternating = Array.from({ length: 1000 }, (_, i) => (i % 2 ? 'a +' : 'b -')).join(' ');
    expect(parseFormula(parseFormula(`${alternating} c`))).toEqual(parseFormula(`${alternating} c`));
  });

  let deep: unknown = 'a';
  for (let i = 0; i < 200_000; i++) deep = { neg: deep };
  const endless: { add: unknown[] } = { add: [1] };
  endless.add.push(endless);
  test.each([
    ['60 000 open parentheses', '('.repeat(60_000)],
    ['200 000 open parentheses', '('.repeat(200_000)],
    ['60 000 minus signs', '-'.repeat(60_000)],
    ['16 000 nots', 'not '.repeat(16_000)],
    ['10 000 calls', 'exp('.repeat(10_000)],
    ['too many parts', new Array(MAX_FORMULA_NODES).fill('a').join('+')],
    ['64 KiB of one name', `${'a'.repeat(MAX_FORMULA_TEXT - 1)}!`],
    ['64 KiB of digits', `${'9'.repeat(MAX_FORMULA_TEXT)}`],
    ['a deep tree', deep],
    ['an endless tree', endless],
    ['a wide tree', { add: new Array(1e9) }],
  ])('%s: an error at once', (name, formula) => {
    const spent = processorTimer();
    const error = failure(() => parseFormula(formula as string));
    const ms = spent();
    console.log(`${name}: ${ms.toFixed(1)} ms, ${error.message.slice(0, 70)}`);
    expect(error.code).toBe('FORMULA_SYNTAX');
    expect(typeof error[typeof formula === 'string' ? 'position' : 'path']).not.toBe('undefined');
    expect(ms).toBeLessThan(2000);
  });
});
