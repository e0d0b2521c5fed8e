// Dates in filters: what they mean in milliseconds, and which rows they find.
import { describe, expect, test } from 'vitest';
import { checkFilter } from '../../lib/filter/check.js';
import { parseDate } from '../../lib/filter/dates.js';
import { parseFilter } from '../../lib/filter/parser.js';
import { failure } from '../failure.js';
import { publish } from '../retrieval/publish.js';

describe('parseDate', () => {
  test.each([
    ['1970-01-01', 0, 86_400_000],
    ['2024-02-29', Date.UTC(2024, 1, 29), Date.UTC(2024, 2, 1)],
    ['1969-12-31', -86_400_000, 0],
    ['2024-01-31T12:30', Date.UTC(2024, 0, 31, 12, 30), Date.UTC(2024, 0, 31, 12, 30) + 1],
    ['2024-01-31T12:30:15.25Z', Date.UTC(2024, 0, 31, 12, 30, 15, 250), Date.UTC(2024, 0, 31, 12, 30, 15, 251)],
    ['2024-01-31T00:30:00+02:00', Date.UTC(2024, 0, 30, 22, 30), Date.UTC(2024, 0, 30, 22, 30) + 1],
    ['2024-01-31T00:30:00-02:00', Date.UTC(2024, 0, 31, 2, 30), Date.UTC(2024, 0, 31, 2, 30) + 1],
  ])('%s', (text, begin, end) => {
    expect(parseDate(text)).toEqual({ begin: BigInt(begin), end: BigInt(end) });
  });

  test.each([
    '2024',
    '2024-1-31',
    '2024-02-30',
    '2023-02-29',
    '2024-13-01',
    '2024-01-31T25:00',
    '2024-01-31 12:00',
    '20240131',
    '',
  ])('%j is none', (text) => expect(parseDate(text)).toBeUndefined());
});

describe('filters', () => {
  const days = ['2023-12-31', '2024-01-01', '2024-01-31', '2024-02-01', undefined];
  const times = ['T23:59:59.999Z', 'T00:00:00.000Z', 'T12:00:00.000Z', 'T00:00:00.000Z'];
  const at = days.map((day, i) => (day === undefined ? null : Date.parse(`${day}${times[i]}`)));
  const embeddings = { data: new Float32Array(10).fill(1), shape: [5, 2] };

  test.each([
    ['added:[2024-01-01 TO 2024-01-31]', [1, 2]],
    ['added:{2024-01-01 TO 2024-02-01}', [2]],
    ['added:>2023-12-31', [1, 2, 3]],
    ['added:>=2024-01-31', [2, 3]],
    ['added:<2024-01-01', [0]],
    ['added:<=2023-12-31', [0]],
    ['added:2024-01-31', [2]],
    ['added:(2024-01-01 OR 2024-02-01)', [1, 3]],
    ['NOT added:2024-01-31', [0, 1, 3, 4]],
    ['added:>="2024-01-31T12:00Z"', [2, 3]],
    ['added:>"2024-01-31T14:00+02:00"', [3]],
    ['added:[* TO "2023-12-31T23:59:59.999Z"]', [0]],
  ] as const)('%s', async (filter, expected) => {
    // Integers, and numbers with a fraction: a field of each type.
    for (const added of [at, at.map((value, i) => (value !== null && i === 3 ? value + 0.5 : value))]) {
      await using model = await publish({ items: { ids: [0, 1, 2, 3, 4], embeddings, attributes: { added } } });
      const embedding = Float32Array.of(1, 1);
      expect((await model.retrieve({ embedding, filter })).ids).toEqual(expected);
      expect((await model.retrieve({ embedding, filter: parseFilter(filter) })).ids).toEqual(expected);
    }
  });

  test('as trees, and what is no date', () => {
    expect(checkFilter({ ge: ['added', '2024-01-31'] })).toEqual({ range: ['added', { gte: '2024-01-31' }] });
    expect(failure(() => checkFilter({ ge: ['added', '2024-02-30'] })).code).toBe('FILTER_SYNTAX');
    for (const text of ['added:>2024-02-30', 'added:>yesterday', 'added:[2024-01 TO *]'])
      expect(failure(() => parseFilter(text)).message).toContain('a number or a date');
  });
});
