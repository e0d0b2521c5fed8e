import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { SilverlodeError } from '../../lib/errors.js';
import { compileFormula } from '../../lib/value/compile.js';
import { ARITY, ValueOp } from '../../lib/value/opcodes.js';
import { parseFormula } from '../../lib/value/parser.js';
import { failure } from '../failure.js';
import { type Candidate, evaluateFormula, runValueProgram } from '../reference/value.js';
import { COLUMNS, formatFormula, randomFormula, TASKS } from './random_formula.js';

const scope = { tasks: ['click', 'like', 'both'], columns: ['age', 'both'], weights: { report: 0.5 } };

test('programs are postfix and name what they read', () => {
  const program = compileFormula('2*click - weight.report*both + if(age < 24, weight.boost, score)', scope);
  const { const: constant, task, score, weight, column, mul, sub, lt, add, if: select } = ValueOp;
  expect([...program.steps]).toEqual(
    [
      [constant, 0],
      [task, 0],
      [mul, 0],
      [weight, 0],
      [task, 2],
      [mul, 0],
      [sub, 0],
      [column, 0],
      [constant, 1],
      [lt, 0],
      [weight, 1],
      [score, 0],
      [select, 0],
      [add, 0],
    ].flat(),
  );
  expect([...program.constants]).toEqual([2, 24]);
  expect(program.weights).toEqual([
    { name: 'report', default: 0.5 },
    { name: 'boost', default: 0 },
  ]);
  expect(program.tasks).toEqual(['click', 'both']);
  expect(program.columns).toEqual(['age']);
  expect(program.stackDepth).toBe(4);
});

test('folds go from the left and keep the stack small', () => {
  const { task, add } = ValueOp;
  const program = compileFormula('click + like + both', scope);
  expect([...program.steps]).toEqual([task, 0, task, 1, add, 0, task, 2, add, 0]);
  expect(program.stackDepth).toBe(2);
});

test('nothing is folded', () => {
  expect(compileFormula('1 + 2', scope).steps.length).toBe(6);
  expect([...compileFormula('-0', scope).steps]).toEqual([ValueOp.const, 0, ValueOp.neg, 0]);
});

test('every operation has a code of its own', () => {
  const codes = Object.values(ValueOp);
  expect(new Set(codes).size).toBe(codes.length);
  expect(Object.keys(ARITY).length).toBe(codes.length - 5);
});

describe('faults', () => {
  test.each([
    ['clik + 1', 0, 'clik'],
    ['1 + sigmoid(likes)', 12, 'likes'],
    ['click + "weight.x"', 8, 'weight.x'],
    ['toString', 0, 'toString'],
  ])('%s: unknown name at %i', (text, position, name) => {
    expect(failure(() => compileFormula(text, scope))).toMatchObject({ code: 'FORMULA_SYNTAX', position });
    expect(failure(() => compileFormula(text, scope)).message).toContain(`"${name}"`);
  });

  test('in trees: by path', () => {
    const error = failure(() => compileFormula({ add: [1, { exp: 'clik' }] }, scope));
    expect(error).toMatchObject({ code: 'FORMULA_SYNTAX', path: '$.add[1].exp' });
    expect(error.message).toContain('did you mean "click"?');
  });

  test('a tree that was parsed keeps its positions', () => {
    expect(failure(() => compileFormula(parseFormula('1 + nope'), scope))).toMatchObject({ position: 4 });
  });

  test('nesting on the right is bounded by the stack', () => {
    const nested = (levels: number) => `${'click + ('.repeat(levels)}like${')'.repeat(levels)}`;
    expect(compileFormula(nested(63), scope).stackDepth).toBe(64);
    expect(failure(() => compileFormula(nested(64), scope))).toMatchObject({ code: 'FORMULA_SYNTAX', position: 6 });
  });
});

test('a weight is looked up among own properties only', () => {
  expect(compileFormula('weight.toString', scope).weights).toEqual([{ name: 'toString', default: 0 }]);
});

describe('random formulas', () => {
  const seed = 20_260_102;
  const random = new Random(seed);
  console.log(`seed ${seed}`);

  test('text, tree and program say the same', () => {
    const values = [0, -0, 1, -1, 0.5, 3, -2.75, 1e-7, 40, 1e30, Infinity, -Infinity, Number.NaN];
    const draw = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, random.pick(values)]));
    let numbers = 0;
    for (let i = 0; i < 5000; i++) {
      const tree = randomFormula(random, 4);
      const text = formatFormula(tree, random);
      expect(parseFormula(text), text).toEqual(tree);
      expect(parseFormula(tree)).toEqual(tree);
      const candidate: Candidate = {
        score: random.pick(values),
        tasks: draw(TASKS),
        columns: draw(COLUMNS),
        weights: draw(['report', 'boost']),
      };
      const program = compileFormula(text, { tasks: TASKS, columns: COLUMNS });
      const read = (names: readonly string[], from: Readonly<Record<string, number>>) =>
        names.map((name) => from[name] ?? 0);
      const result = runValueProgram(
        program,
        read(TASKS, candidate.tasks),
        read(COLUMNS, candidate.columns),
        candidate,
      );
      expect(result, text).toBe(evaluateFormula(tree, candidate));
      if (Number.isFinite(result)) numbers++;
    }
    console.log(`${numbers} of 5000 values were finite`);
  });

  test('any text is parsed or refused', () => {
    const pieces = [
      '(',
      ')',
      ',',
      '+',
      '-',
      '*',
      '/',
      '<',
      '<=',
      '==',
      '=',
      '!',
      '"',
      '\\',
      '.',
      '1',
      '1e9',
      'a',
      'score',
    ];
    const more = [
      'and',
      'or',
      'not',
      'if',
      'min',
      'exp',
      'weight.',
      ' ',
      '\n',
      'é',
      '\u{1f3a7}',
      '\ud800',
      '\u0000',
      'clamp(',
    ];
    let parsed = 0;
    for (let i = 0; i < 50_000; i++) {
      const length = random.integer(20);
      const text = random.chance(0.3)
        ? Array.from({ length }, () => String.fromCharCode(random.integer(random.chance(0.5) ? 128 : 65536))).join('')
        : Array.from({ length }, () => random.pick(random.chance(0.6) ? pieces : more)).join(random.pick(['', ' ']));
      try {
        parseFormula(text);
        parsed++;
        compileFormula(text, scope);
      } catch (error) {
        if (!(error instanceof SilverlodeError)) throw new Error(`on ${JSON.stringify(text)}`, { cause: error });
        expect(error.code).toBe('FORMULA_SYNTAX');
        expect(error.position, text).toBeTypeOf('number');
        expect(error.position as number).toBeLessThanOrEqual(text.length);
      }
    }
    console.log(`${parsed} of 50000 texts were formulas`);
  });
});
