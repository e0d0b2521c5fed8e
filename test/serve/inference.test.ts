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
    extensions: ['binary_tensor_data'],
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

/** A body with binary data after its JSON. */
function binaryBody(json: object, ...data: ArrayBufferView[]) {
  const head = Buffer.from(JSON.stringify(json));
  const payload = Buffer.concat([
    head,
    ...data.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)),
  ]);
  return { payload, headers: { 'inference-header-content-length': String(head.length) } };
}
const sendBinary = (model: string, { payload, headers }: ReturnType<typeof binaryBody>) =>
  service.app.inject({ method: 'POST', url: `/v2/models/${model}/infer`, payload, headers });

describe('binary tensor data', () => {
  const { data: _, ...described } = embedding;
  const input = { ...described, parameters: { binary_data_size: 3 * DIMS * 4 } };
  const numbers = Float32Array.from(embedding.data);

  test('in and out', async () => {
    const k = { name: 'k', shape: [3], datatype: 'INT32', parameters: { binary_data_size: 12 } };
    const texts = ['*', 'language:en', 'ü:1'].map((text) => Buffer.from(text));
    const bytes = Buffer.concat(texts.flatMap((text) => [Buffer.from(Uint32Array.of(text.length).buffer), text]));
    const filter = { name: 'filter', shape: [3], datatype: 'BYTES', parameters: { binary_data_size: bytes.length } };
    const refused = await sendBinary(
      'books',
      binaryBody({ inputs: [input, filter, k] }, numbers, bytes, Int32Array.of(2, 3, 1)),
    );
    expect(refused.json().error).toMatch(/^request 2: .*"ü"/);
    const json = {
      inputs: [input, k],
      outputs: [{ name: 'scores', parameters: { binary_data: true } }, { name: 'ids' }],
    };
    const response = await sendBinary('books', binaryBody(json, numbers, Int32Array.of(2, 3, 1)));
    expect(response.headers['content-type']).toBe('application/octet-stream');
    const length = Number(response.headers['inference-header-content-length']);
    const { outputs } = JSON.parse(response.rawPayload.toString('utf8', 0, length));
    expect(outputs[0]).toEqual({
      name: 'scores',
      datatype: 'FP32',
      shape: [3, 3],
      parameters: { binary_data_size: 36 },
    });
    const plain = (await infer('books', { inputs: [embedding, { ...k, parameters: {}, data: [2, 3, 1] }] })).json();
    expect([...new Float32Array(new Uint8Array(response.rawPayload.subarray(length)).buffer)]).toEqual(
      plain.outputs[1].data,
    );
    expect(outputs[1]).toEqual(plain.outputs[0]);
  });

  test('all outputs on request; texts with their length', async () => {
    const json = { inputs: [input], parameters: { k: 2, binary_data_output: true } };
    const { rawPayload, headers } = await sendBinary('named', binaryBody(json, numbers));
    const length = Number(headers['inference-header-content-length']);
    const { outputs } = JSON.parse(rawPayload.toString('utf8', 0, length));
    let at = length;
    const ids = Array.from({ length: 6 }, () => {
      const end = at + 4 + rawPayload.readUInt32LE(at);
      const text = rawPayload.toString('utf8', at + 4, end);
      at = end;
      return text;
    });
    expect(ids).toEqual((await infer('named', { inputs: [embedding], parameters: { k: 2 } })).json().outputs[0].data);
    expect(at - length).toBe(outputs[0].parameters.binary_data_size);
  });

  const size = (bytes: number, more = {}) => ({
    inputs: [{ ...input, parameters: { binary_data_size: bytes }, ...more }],
  });
  test.each([
    ['less data than it says', binaryBody(size(100), numbers)],
    ['more data than there is', binaryBody(size(10_000), numbers)],
    ['data beside data', binaryBody(size(96, { data: [] }), numbers)],
    ['neither', binaryBody({ inputs: [described] }, numbers)],
    ['half a number', binaryBody(size(95), numbers.subarray(0), new Uint8Array(0))],
    ['texts that are cut off', binaryBody(size(96, { datatype: 'BYTES' }), numbers)],
    [
      'a head beyond the body',
      { ...binaryBody(size(96), numbers), headers: { 'inference-header-content-length': '9999' } },
    ],
    [
      'a head that is no number',
      { ...binaryBody(size(96), numbers), headers: { 'inference-header-content-length': 'x' } },
    ],
    ['a polluting key', binaryBody(JSON.parse('{"__proto__": {"a": 1}, "inputs": []}'), numbers)],
    ['an unknown field', binaryBody({ ...size(96), nonsense: 1 }, numbers)],
  ])('%s is refused', async (_name, body) => {
    const response = await sendBinary('books', body);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({ error: expect.any(String) });
  });
});

test('what a request may have: exclude, timeout, the model again; ids of 64 bits', async () => {
  const all = (await infer('books', { inputs: [embedding], parameters: { k: 4 } })).json().outputs[0].data;
  const exclude = { name: 'exclude', shape: [3, 1], datatype: 'INT64', data: [all[0], all[4], -1] };
  const body = {
    inputs: [embedding, exclude],
    parameters: { k: 3, timeout: 60_000_000 },
    model_name: 'books',
    model_version: '1',
  };
  const left = (await infer('books', body)).json().outputs[0].data;
  expect(left).toEqual([...all.slice(1, 4), ...all.slice(5, 8), ...all.slice(8, 11)]);
  const late = await infer('books', { inputs: [embedding], parameters: { deadlineMs: 0 } });
  expect(late.statusCode).toBe(503);
  const ids = (await infer('scored', { inputs: [embedding], parameters: { k: 2 } })).json().outputs[0].data;
  const one = { name: 'exclude', shape: [3, 1], datatype: 'BYTES', data: [ids[0], ids[2], ids[4]] };
  const rest = (await infer('scored', { inputs: [embedding, one], parameters: { k: 1 } })).json().outputs[0].data;
  expect(rest).toEqual([ids[1], ids[3], ids[5]]);
});

describe('failures are one text', () => {
  const field = (name: string, datatype: string, data: unknown[], shape = [3]) => ({
    inputs: [embedding, { name, shape, datatype, data }],
  });
  test.each([
    ['an unknown parameter', { inputs: [embedding], parameters: { kk: 1 } }],
    ['exclude as a parameter', { inputs: [embedding], parameters: { exclude: '1' } }],
    ['an unknown output', { inputs: [embedding], outputs: [{ name: 'ids' }, { name: 'none' }] }],
    [
      'a parameter of an output',
      { inputs: [embedding], outputs: [{ name: 'ids', parameters: { classification: 2 } }] },
    ],
    ['a parameter of an input', { inputs: [{ ...embedding, parameters: { shared_memory_region: 'x' } }] }],
    ['an unknown datatype', { inputs: [{ ...embedding, datatype: 'FOO' }] }],
    ['text as the datatype of numbers', { inputs: [{ ...embedding, datatype: 'BYTES' }] }],
    ['fractions', field('k', 'INT32', [1, 2, 2.5])],
    ['fractions as a parameter', { inputs: [embedding], parameters: { k: 2.5 } }],
    ['floats for whole numbers', field('k', 'FP32', [1, 2, 3])],
    ['two values where there is one', field('k', 'INT32', [1, 2, 3, 4, 5, 6], [3, 2])],
    ['truth as a number', field('exact', 'BOOL', [1, 0, 1])],
    ['an input twice', { inputs: [embedding, embedding] }],
    ['an input that is a parameter too', { ...field('k', 'INT32', [1, 2, 3]), parameters: { k: 1 } }],
    ['ids of another type', field('exclude', 'BYTES', ['a', 'b', 'c'], [3, 1])],
    ['no request', { inputs: [{ ...embedding, shape: [0, DIMS], data: [] }] }],
    ['another model in the body', { inputs: [embedding], model_name: 'named' }],
    ['another version in the body', { inputs: [embedding], model_version: '2' }],
    ['an unknown weight', { inputs: [embedding], parameters: { 'weight.zz': 1 } }],
    ['an unknown field', { inputs: [embedding], nonsense: 1 }],
    [
      'more results than a call may have',
      { inputs: [{ ...embedding, shape: [30, DIMS], data: Array(30 * DIMS).fill(0) }], parameters: { k: 10_000 } },
    ],
  ])('%s', async (_, payload) => {
    const response = await infer('books', payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({ error: expect.any(String) });
  });

  test('says which of several requests failed', async () => {
    const response = await infer('books', field('filter', 'BYTES', ['*', 'language:en', '(']));
    expect(response.json().error).toMatch(/^request 2: /);
  });

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
