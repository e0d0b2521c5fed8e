// Why an item is in a list or is not: every outcome on a catalogue in which it is plain.
import { f, type RetrievalModel, type RetrieveRequest } from 'silverlode';
import { expect, test } from 'vitest';
import { publish } from './publish.js';

/** Items 0 to 29 on a line: for a query of [1, 0] the list is 29, 28, …. */
const made: Promise<RetrievalModel> = publish({
  items: {
    ids: Int32Array.from({ length: 30 }, (_, i) => i),
    embeddings: { data: Float32Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? i / 2 : 1)), shape: [30, 2] },
    attributes: {
      parity: Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? 'even' : 'odd')),
      size: Array.from({ length: 30 }, (_, i) => i),
    },
  },
});
const embedding = Float32Array.of(1, 0);
const explain = async (request: RetrieveRequest, id: number) => (await made).explain(request, { id });

test.each<[string, RetrieveRequest, number, object]>([
  ['returned', { embedding, k: 5 }, 27, { place: 2 }],
  ['returned', { embedding, k: 5, filter: 'parity:odd' }, 27, { place: 1, filter: { holds: true } }],
  ['returned', { embedding, rank: [3, 4] }, 3, { place: 1 }],
  ['unknown', { embedding }, 77, {}],
  ['beyond k', { embedding, k: 5 }, 10, {}],
  ['excluded', { embedding, exclude: [27] }, 27, {}],
  ['excluded', { like: [27], k: 5 }, 27, {}],
  ['excluded', { like: [3], dislike: [27], k: 5 }, 27, {}],
  ['not named', { embedding, rank: [3, 4] }, 5, {}],
  ['not named', { embedding, allow: [3, 4] }, 5, {}],
  ['filtered', { embedding, filter: 'parity:odd AND size:<20' }, 4, { filter: { holds: false } }],
  ['below minScore', { embedding, minScore: 20 }, 4, {}],
  ['arranged away', { embedding, groups: { field: 'parity', limit: 1 } }, 4, {}],
])('%s: %j, item %i', async (outcome, request, id, more) => {
  const explained = await explain(request, id);
  expect(explained).toMatchObject({ id, outcome, ...more });
  if (outcome !== 'unknown' && request.like === undefined) expect(explained.score).toBeCloseTo(id, 0);
});

test('tells what every test of a filter gives', async () => {
  const { filter } = await explain({ embedding, filter: '(parity:odd OR size:>20) AND NOT size:[3 TO 5]' }, 4);
  expect(filter).toEqual({
    holds: false,
    leaves: [
      { leaf: { eq: ['parity', 'odd'] }, holds: false },
      { leaf: { range: ['size', { gt: 20 }] }, holds: false },
      { leaf: { range: ['size', { gte: 3, lte: 5 }] }, holds: true },
    ],
  });
  const tree = await explain({ embedding, filter: f.and(f.eq('parity', 'even'), f.exists('size')) }, 4);
  expect(tree.filter?.leaves.map(({ holds }) => holds)).toEqual([true, true]);
});

test('refuses what the request or the id has wrong', async () => {
  await expect(explain({ embedding, k: 0 }, 4)).rejects.toMatchObject({ field: 'k' });
  await expect(explain({ embedding, filter: 'colour:red' }, 4)).rejects.toMatchObject({ code: 'UNKNOWN_FIELD' });
  await expect(explain({ embedding }, 'four' as never)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    field: 'id',
  });
});
