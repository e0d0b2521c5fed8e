import type { Random } from '../../lib/data/random.js';
import type { FilterNode, FilterNumber } from '../../lib/filter/ast.js';
import type { Attribute, AttributeValue } from '../reference/filter.js';

const STRINGS = [
  'en',
  'de',
  'Ünïcode',
  '東京',
  'two words',
  'quote"d',
  'back\\slash',
  'AND',
  '',
  '-x',
  '-1',
  '1990',
  'a:b',
];
const INTEGERS = [0n, 1n, -1n, 7n, 1990n, 2000n, -2147483648n, 2147483647n];
const LONG = [...INTEGERS, 9007199254740993n, 9007199254740992n, 9223372036854775807n, -9223372036854775808n];
const FLOATS = [0, -0, 1, -1, 0.1, 20, 19.99, 5e-324, -5e-324, 1.7976931348623157e308, Infinity, -Infinity];
const BOUNDS: FilterNumber[] = [
  0,
  1,
  -1,
  0.5,
  -0.5,
  1990,
  1990.5,
  2000,
  19.99,
  '9007199254740993',
  '9223372036854775807',
];
const FAR: FilterNumber[] = ['1e30', '-1e30', '-9223372036854775809', 2147483648, '00012.50', '1.0e-300'];

/** Attributes of all types, with gaps, for `items` items. The first item has a value that settles the type of its column. */
export function randomAttributes(random: Random, items: number): Attribute[] {
  const column = (pool: readonly AttributeValue[], most: number, gaps: number, settling = pool[0] as AttributeValue) =>
    Array.from({ length: items }, (_, item) => {
      if (item === 0) return [settling];
      return random.chance(gaps) ? [] : Array.from({ length: 1 + random.integer(most) }, () => random.pick(pool));
    });
  return [
    { name: 'language', type: 'string', multi: false, values: column(STRINGS, 1, 0.2) },
    { name: 'odd name', type: 'string', multi: true, values: column(STRINGS, 3, 0.2) },
    { name: 'flag', type: 'boolean', multi: false, values: column([true, false], 1, 0.1) },
    { name: 'year', type: 'int64', multi: false, width: 32, values: column(INTEGERS, 1, 0.2) },
    { name: '1', type: 'int64', multi: false, values: column(LONG, 1, 0) },
    { name: 'numbers', type: 'int64', multi: true, values: column(LONG, 3, 0.2) },
    { name: 'price', type: 'float64', multi: false, values: column(FLOATS, 1, 0.2, 0.1) },
    {
      name: 'ratios',
      type: 'float64',
      multi: true,
      values: column(
        FLOATS.map((x) => x + 0),
        2,
        0,
        0.1,
      ),
    },
  ];
}

/** A valid filter in the form that the parser yields. */
export function randomFilter(random: Random, attributes: readonly Attribute[], depth: number): FilterNode {
  if (depth > 0 && random.chance(0.7)) {
    if (random.chance(0.3)) return { not: randomFilter(random, attributes, depth - 1) };
    const nodes = Array.from({ length: 2 + random.integer(3) }, () => randomFilter(random, attributes, depth - 1));
    return random.chance(0.5) ? { and: nodes } : { or: nodes };
  }
  if (random.chance(0.05)) return { all: true };
  const { name, type, multi } = random.pick(attributes);
  if (random.chance(0.1)) return { exists: name };
  if ((type === 'int64' || type === 'float64') && !multi && random.chance(0.6)) {
    const bound = () => random.pick(random.chance(0.8) ? BOUNDS : FAR);
    const low = random.pick([{}, { gte: bound() }, { gt: bound() }]);
    return { range: [name, { ...low, ...random.pick([{}, { lte: bound() }, { lt: bound() }]) }] };
  }
  const literal = () => {
    if (type === 'string') return random.pick([...STRINGS, 'nobody has this']);
    if (type === 'boolean') return random.pick(['true', 'false']);
    return type === 'int64'
      ? String(random.pick(LONG))
      : String(random.pick([3, 0.1, 20, 19.99, 0, 5e-324, 1.7976931348623157e308]));
  };
  if (random.chance(0.5)) return { eq: [name, literal()] };
  return { in: [name, Array.from({ length: 1 + random.integer(4) }, literal)] };
}

/** A filter as text; reading it gives the same tree. */
export function formatFilter(filter: FilterNode, random: Random): string {
  const space = () => random.pick(['', ' ', '\n\t']);
  const word = (text: string) => {
    const bare = /^(?!-(?!\.?\d))[\p{L}0-9_\-./]+$/u.test(text) && !['AND', 'OR', 'NOT'].includes(text);
    return bare && random.chance(0.8) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
  };
  const number = (bound: FilterNumber) => word(String(bound));
  const inner = (node: FilterNode, bare: boolean) => {
    const text = formatFilter(node, random);
    return bare ? text : `(${space()}${text}${space()})`;
  };
  if ('all' in filter) return '*';
  if ('and' in filter) return filter.and.map((node) => inner(node, !('and' in node || 'or' in node))).join(' AND ');
  if ('or' in filter) return filter.or.map((node) => inner(node, !('or' in node))).join(' OR ');
  if ('not' in filter) return `NOT ${inner(filter.not, !('and' in filter.not || 'or' in filter.not))}`;
  if ('exists' in filter) return `EXISTS${space()}(${word(filter.exists)})`;
  if ('eq' in filter) return `${word(filter.eq[0])}${space()}:${space()}${word(String(filter.eq[1]))}`;
  if ('in' in filter) return `${word(filter.in[0])}:(${filter.in[1].map((value) => word(String(value))).join(' OR ')})`;
  const [name, { gte, gt, lte, lt }] = filter.range;
  const [low, high] = [gte ?? gt, lte ?? lt];
  if (low === undefined && high !== undefined && random.chance(0.5)) {
    return `${word(name)}:${lt === undefined ? '<=' : '<'}${space()}${number(high)}`;
  }
  if (high === undefined && low !== undefined && random.chance(0.5)) {
    return `${word(name)}:${gt === undefined ? '>=' : '>'}${space()}${number(low)}`;
  }
  const [open, close] = [gt === undefined ? '[' : '{', lt === undefined ? ']' : '}'];
  const text = (bound: FilterNumber | undefined) => (bound === undefined ? '*' : number(bound));
  return `${word(name)}:${space()}${gte === undefined && gt === undefined ? '[' : open}${text(low)} TO ${text(high)}${close}`;
}
