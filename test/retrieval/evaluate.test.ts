// Measures of lists, worked out by hand on a catalogue whose lists are known.
import { evaluate, type Interaction } from 'silverlode';
import { expect, test } from 'vitest';
import { publish } from './publish.js';

/** Items 0 to 9 on a line: for a query of [1, 0] the list is 9, 8, …; of [-1, 0] it is 0, 1, …. */
const model = publish({
  items: {
    ids: Int32Array.from({ length: 10 }, (_, i) => i),
    embeddings: {
      data: Float32Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? (i / 2 - 4.5) * 8 : 36)),
      shape: [10, 2],
    },
    attributes: { parity: Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 'even' : 'odd')) },
  },
});
const up = Float32Array.of(1, 0);
const down = Float32Array.of(-1, 0);
const log2 = Math.log2;

test('recall, NDCG, hits and coverage', async () => {
  const people: Interaction[] = [
    { request: { embedding: up }, held: [9, 7, 0] }, // list 9 8 7: two of three
    { request: { embedding: down }, held: [5] }, // list 0 1 2: none
    { request: { embedding: up, filter: 'parity:even' }, held: [8, 6, 4, 2, 0] }, // list 8 6 4: all that fit
    { request: { embedding: up }, held: [] }, // nobody
    { request: { embedding: down, exclude: [0] }, held: [77, 1] }, // list 1 2 3: one of two, the other one unknown
  ];
  const result = await evaluate(await model, people, { k: 3 });
  const ideal = [1 + 1 / log2(3) + 1 / log2(4), 1, 1 + 1 / log2(3) + 1 / log2(4), 1 + 1 / log2(3)] as const;
  const gains = [1 + 1 / log2(4), 0, ideal[2], 1];
  const ndcg = gains.reduce((sum, value, i) => sum + value / (ideal[i] as number), 0) / 4;
  expect(result).toMatchObject({ k: 3, people: 4, hits: 3 / 4, unknown: 1 });
  expect(result.recall).toBeCloseTo((2 / 3 + 0 + 1 + 1 / 2) / 4, 12);
  expect(result.ndcg).toBeCloseTo(ndcg, 12);
  expect(result.coverage).toBeCloseTo(new Set([9, 8, 7, 0, 1, 2, 8, 6, 4, 1, 2, 3]).size / 10, 12);
});

test('diversity is one minus the mean cosine within lists', async () => {
  const vector = (i: number) => [(i - 4.5) * 8, 36] as const;
  const cosine = (i: number, j: number) => {
    const [[a, b], [c, d]] = [vector(i), vector(j)];
    return (a * c + b * d) / Math.hypot(a, b) / Math.hypot(c, d);
  };
  const { diversity } = await evaluate(await model, [{ request: { embedding: up }, held: [9] }], { k: 3 });
  expect(diversity).toBeCloseTo(1 - (cosine(9, 8) + cosine(9, 7) + cosine(8, 7)) / 3, 2);
});

test('takes an async iterable, tells how far it is, and can be stopped', async () => {
  async function* people() {
    for (let i = 0; i < 130; i++) yield { request: { embedding: i % 2 ? up : down }, held: [i % 10] };
  }
  const done: number[] = [];
  const result = await evaluate(await model, people(), { k: 5, onProgress: (event) => done.push(event.done) });
  expect(done).toEqual([64, 128, 130]);
  expect(result.people).toBe(130);
  const stopped = evaluate(await model, people(), { signal: AbortSignal.abort() });
  await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
});

test('refuses what cannot be judged, naming the person', async () => {
  await expect(evaluate(await model, [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const people = [
    { request: { embedding: up }, held: [1] },
    { request: { embedding: new Float32Array(3) }, held: [1] },
  ];
  await expect(evaluate(await model, people)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', person: 1 });
  await expect(evaluate(await model, people, { k: 0 })).rejects.toMatchObject({ field: 'k' });
});
