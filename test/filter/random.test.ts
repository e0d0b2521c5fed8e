import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { SilverlodeError } from '../../lib/errors.js';
import { checkFilter } from '../../lib/filter/check.js';
import { parseFilter } from '../../lib/filter/parser.js';
import { compileFilter } from '../../lib/filter/plan.js';
import { matches, ReferenceIndex } from '../reference/filter.js';
import { formatFilter, randomAttributes, randomFilter } from './random_filter.js';

const seed = 20_260_101;
console.log(`seed ${seed}`);

test('text and tree say the same, and plans select what the filter says', () => {
  const random = new Random(seed);
  const items = 60;
  let selected = 0;
  for (let round = 0; round < 30; round++) {
    const attributes = randomAttributes(random, items);
    const index = new ReferenceIndex(attributes);
    for (let i = 0; i < 100; i++) {
      const filter = randomFilter(random, attributes, 4);
      const text = formatFilter(filter, random);
      expect(parseFilter(text), text).toEqual(filter);
      expect(checkFilter(JSON.parse(JSON.stringify(filter)))).toEqual(filter);
      const truth = Array.from({ length: items }, (_, item) => item).filter((item) =>
        matches(filter, attributes, item),
      );
      const plan = compileFilter(text, index);
      expect(index.run(plan, items), text).toEqual(truth);
      expect(compileFilter(filter, index)).toEqual(plan);
      selected += truth.length;
    }
  }
  console.log(`${(selected / 1800).toFixed(1)} % of the items were selected`);
});

test('any text is parsed or refused', () => {
  const random = new Random(seed + 1);
  const index = new ReferenceIndex(randomAttributes(random, 3));
  const pieces = [
    'AND',
    'OR',
    'NOT',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    'TO',
    '*',
    ':',
    '<',
    '<=',
    '>',
    '"',
    '\\',
    '-',
    '1',
    'year',
  ];
  const more = [
    'language',
    'price',
    'EXISTS',
    ' ',
    ' ',
    'é',
    '\u{1f3a7}',
    '\ud800',
    '\u0000',
    '\u2028',
    '1e9',
    '1990 ',
    'x',
  ];
  let parsed = 0;
  for (let i = 0; i < 50_000; i++) {
    const length = random.integer(24);
    const text = random.chance(0.3)
      ? Array.from({ length }, () => String.fromCharCode(random.integer(random.chance(0.5) ? 128 : 65536))).join('')
      : Array.from({ length }, () => random.pick(random.chance(0.5) ? pieces : more)).join(random.pick(['', ' ']));
    try {
      parseFilter(text);
      parsed++;
      compileFilter(text, index);
    } catch (error) {
      if (!(error instanceof SilverlodeError)) throw new Error(`on ${JSON.stringify(text)}`, { cause: error });
      expect(error.position, text).toBeTypeOf('number');
      expect(error.position as number).toBeLessThanOrEqual(text.length);
    }
  }
  console.log(`${parsed} of 50000 texts were filters`);
});

test('any tree is checked or refused', () => {
  const random = new Random(seed + 2);
  const attributes = randomAttributes(random, 3);
  const index = new ReferenceIndex(attributes);
  const spoil = (tree: unknown): unknown => {
    if (random.chance(0.08))
      return random.pick([null, undefined, 1, 'x', [], {}, true, Number.NaN, 5n, Symbol.iterator, () => 1]);
    if (Array.isArray(tree)) return tree.map(spoil);
    if (typeof tree !== 'object' || tree === null) return tree;
    const key = (name: string) => (random.chance(0.05) ? random.pick(['lt', 'in', 'x', '__proto__']) : name);
    return Object.fromEntries(Object.entries(tree).map(([name, value]) => [key(name), spoil(value)]));
  };
  for (let i = 0; i < 10_000; i++) {
    const tree = spoil(randomFilter(random, attributes, 3));
    try {
      compileFilter(tree as Parameters<typeof compileFilter>[0], index);
    } catch (error) {
      if (!(error instanceof SilverlodeError)) throw error;
    }
  }
});
