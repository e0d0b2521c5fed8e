// Open Inference Protocol v2: metadata, batches, padding, failures in the protocol's own form.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIMS, ITEMS, queryVector, smallModel } from './models.js';
import { namedModel, scoredModel, serve, type TestService } from './service.js';

let service: TestService;
beforeAll(async () => {
  service = await serve({ books: await smallModel(), scored: await scoredModel(), named: await namedModel() });
});
afterAll(() => service.close());

const vectors = [1, 2, 3].map(queryVector);
const embedding = { name: 'embedding', shape: [3, DIMS], datatype: 'FP32', data: vectors.flatMap((v) => [...v]) };
const infer = (model: string, payload: object) =>
  service.app.inject({ method: 'POST', url: `/v2/models/${model}/infer`, payload });
const get = async (url: string) => (await service.app.inject({ url })).json();

test('server and model metadata', async () => {
  expect(await get('/v2')).toMatchObject({
    name: 'silverlode',
    version: expect.stringMatching(/^\d+\./),
    extensions: [],
  });
  const books = await get('/v2/models/books');
  expect(books).toMatchObject({ name: 'books', versions: ['1'], platform: 'silverlode' });
  expect(books.inputs[0]).toEqual({ name: 'embedding', datatype: 'FP32', shape: [-1, DIMS] });
  expect(books.outputs.map(({ name, datatype }: { name: string; datatype: string }) => `${name} ${datatype}`)).toEqual([
    'ids INT64',
    'scores FP32',
    'counts INT32',
  ]);
  const scored = await get('/v2/models/scored/versions/1');
  expect(scored.inputs.map(({ name }: { name: string }) => name)).toContain('weight.like');
  expect(scored.outputs.map(({ name }: { name: string }) => name)).toContain('tasks.click');
  expect(await get('/v2/models/books/ready')).toEqual({ name: 'books', ready: true });
});

test('a batch is answered row by row, padded to one width', async () => {
  const filter = { name: 'filter', shape: [3], datatype: 'BYTES', data: ['*', 'language:en', 'language:xx'] };
  const response = await infer('books', { id: 'seven', inputs: [embedding, filter], parameters: { k: 150 } });
  const { outputs, ...rest } = response.json();
  expect(rest).toEqual({ model_name: 'books', model_version: '1', id: 'seven' });
  const [ids, scores, counts] = outputs;
  expect(counts).toEqual({ name: 'counts', datatype: 'INT32', shape: [3], data: [150, ITEMS / 3, 0] });
  expect(ids.shape).toEqual([3, 150]);
  for (const [row, text] of ['*', 'language:en', 'language:xx'].entries()) {
    const request = { embedding: vectors[row] as Float32Array, filter: text, k: 150 };
    const expected = await service.hub.retrieve('books', request);
    const count = expected.ids.length;
    expect(ids.data.slice(150 * row, 150 * row + count)).toEqual(expected.ids);
    expect(scores.data.slice(150 * row, 150 * row + count)).toEqual([...expected.scores]);
    expect(new Set(ids.data.slice(150 * row + count, 150 * (row + 1)))).toEqual(new Set(count < 150 ? [-1] : []));
  }
});

test('nested data, weights, chosen outputs, ids as text', async () => {
  const nested = { ...embedding, data: vectors.map((v) => [...v]) };
  const weight = { name: 'weight.like', shape: [3], datatype: 'FP32', data: [0, 1, 2] };
  const scored = (await infer('scored', { inputs: [nested, weight], parameters: { k: 4 } })).json();
  for (const [row, like] of [0, 1, 2].entries()) {
    const request = { embedding: vectors[row] as Float32Array, k: 4, weights: { like } };
    const expected = await service.hub.retrieve('scored', request);
    expect(scored.outputs[0].data.slice(4 * row, 4 * row + 4)).toEqual(expected.ids.map(String));
    expect(scored.outputs[4]).toMatchObject({ name: 'tasks.like', shape: [3, 4] });
  }
  const named = await infer('named', { inputs: [embedding], outputs: [{ name: 'ids' }], parameters: { k: 2 } });
  const { outputs } = named.json();
  expect(outputs).toHaveLength(1);
  expect(outputs[0].datatype).toBe('BYTES');
  expect(outputs[0].data[0]).toMatch(/^book-\d+$/);
});

test('several heads', async () => {
  const flat = vectors.slice(0, 2);
  const heads = { name: 'embedding', shape: [1, 2, DIMS], datatype: 'FP32', data: [flat.map((v) => [...v])] };
  const { outputs } = (await infer('books', { inputs: [heads], parameters: { k: 9 } })).json();
  expect(outputs[0].data).toEqual((await service.hub.retrieve('books', { embedding: flat, k: 9 })).ids);
});

describe('failures are one text', () => {
  test.each([
    ['an unknown model', 'films', { inputs: [embedding] }, 404],
    ['no inputs', 'books', { inputs: [] }, 400],
    ['an unknown input', 'books', { inputs: [embedding, { ...embedding, name: 'nonsense' }] }, 400],
    ['data that does not fill the shape', 'books', { inputs: [{ ...embedding, shape: [4, DIMS] }] }, 400],
    [
      'inputs of different length',
      'books',
      { inputs: [embedding, { name: 'k', shape: [1], datatype: 'INT32', data: [1] }] },
      400,
    ],
    ['text for numbers', 'books', { inputs: [{ ...embedding, data: embedding.data.map(String) }] }, 400],
    ['k beyond the limit', 'books', { inputs: [embedding], parameters: { k: 1_000_000 } }, 400],
    ['a batch beyond the limit', 'books', { inputs: [{ ...embedding, shape: [257, 0], data: [] }] }, 400],
    ['a bad filter', 'books', { inputs: [embedding], parameters: { filter: '(' } }, 400],
    ['a filter that is a number', 'books', { inputs: [embedding], parameters: { filter: 3 } }, 400],
  ])('%s', async (_, model, payload, status) => {
    const response = await infer(model, payload);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({ error: expect.any(String) });
  });

  test('a version that does not serve', async () => {
    expect((await service.app.inject({ url: '/v2/models/books/versions/9/ready' })).statusCode).toBe(404);
    expect((await service.app.inject({ url: '/v2/models/books/versions/1/ready' })).statusCode).toBe(200);
  });
});
