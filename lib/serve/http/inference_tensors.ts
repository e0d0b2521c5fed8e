// Tensors of the Open Inference Protocol to requests, and results to tensors.
import { SilverlodeError } from '../../errors.js';
import type { RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import type { ModelFacts } from '../served_model.js';
import { jsonId } from './json.js';

/** A tensor of the protocol. */
export interface InferTensor {
  name: string;
  shape: readonly number[];
  datatype: string;
  data: readonly unknown[];
}

type Scalar = number | string | boolean;

/** What requests may have beside `embedding` and `user.<input>`: one value per request, or one parameter for all. */
const FIELDS: Readonly<Record<string, 'number' | 'string' | 'boolean'>> = {
  filter: 'string',
  k: 'number',
  candidates: 'number',
  probes: 'number',
  minCandidates: 'number',
  exact: 'boolean',
  deadlineMs: 'number',
};

/** Lowest float32: scores of entries that are missing, since JSON has no infinity. */
const MISSING_SCORE = -3.4028234663852886e38;

/**
 * One request per row of the inputs.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `LIMIT_EXCEEDED`.
 */
export function toRequests(
  inputs: readonly InferTensor[],
  parameters: Readonly<Record<string, unknown>>,
  limits: { inferBatch: number; k: number; candidates: number; filterLength: number },
): RetrieveRequest[] {
  const batch = inputs[0]?.shape[0] ?? 0;
  if (batch > limits.inferBatch)
    throw new SilverlodeError('LIMIT_EXCEEDED', `a batch of ${batch} requests, the limit is ${limits.inferBatch}`);
  const requests: RetrieveRequest[] = Array.from({ length: batch }, () => ({}));
  for (const [name, value] of Object.entries(parameters)) {
    if (Object.hasOwn(FIELDS, name)) for (const request of requests) setField(request, name, value);
    else if (name.startsWith('weight.')) for (const request of requests) setWeight(request, name, value);
  }
  for (const input of inputs) {
    const rows = rowsOf(input, batch);
    requests.forEach((request, row) => {
      setInput(request, input, rows[row] as readonly Scalar[]);
    });
  }
  for (const { k = 0, candidates = 0, filter = '' } of requests) {
    if (k > limits.k || candidates > limits.candidates || (filter as string).length > limits.filterLength)
      throw new SilverlodeError('LIMIT_EXCEEDED', 'k, candidates or filter is beyond the limits of the service');
  }
  return requests;
}

function setInput(request: RetrieveRequest, { name, shape }: InferTensor, row: readonly Scalar[]): void {
  if (name === 'embedding') request.embedding = toEmbedding(row, shape);
  else if (name.startsWith('user.'))
    request.user = { ...request.user, [name.slice('user.'.length)]: numbers(name, row) };
  else if (name.startsWith('weight.')) setWeight(request, name, row[0]);
  else if (Object.hasOwn(FIELDS, name)) setField(request, name, row[0]);
  else throw new SilverlodeError('INVALID_ARGUMENT', `unknown input '${name}'`, { field: name });
}

function toEmbedding(row: readonly Scalar[], shape: readonly number[]): Float32Array | Float32Array[] {
  const flat = Float32Array.from(numbers('embedding', row));
  if (shape.length < 3) return flat;
  const [, heads = 1, dims = 0] = shape;
  return Array.from({ length: heads }, (_, head) => flat.subarray(head * dims, (head + 1) * dims));
}

function setField(request: RetrieveRequest, name: string, value: unknown): void {
  const expected = FIELDS[name];
  if (typeof value !== expected)
    throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a ${expected}`, { field: name });
  Object.assign(request, { [name]: value });
}

function setWeight(request: RetrieveRequest, name: string, value: unknown): void {
  if (typeof value !== 'number')
    throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a number`, { field: name });
  request.weights = { ...request.weights, [name.slice('weight.'.length)]: value };
}

/** The tensor cut along its first dimension; data may be nested or flat. */
function rowsOf({ name, shape, data }: InferTensor, batch: number): unknown[][] {
  if (shape[0] !== batch)
    throw new SilverlodeError('SHAPE_MISMATCH', `${name} has ${shape[0]} rows, the first input ${batch}`, {
      field: name,
    });
  const flat = data.flat(3);
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (flat.length !== size)
    throw new SilverlodeError('SHAPE_MISMATCH', `${name} has ${flat.length} values for shape [${shape}]`, {
      field: name,
    });
  const width = size / Math.max(1, batch);
  return Array.from({ length: batch }, (_, row) => flat.slice(row * width, (row + 1) * width));
}

function numbers(name: string, row: readonly unknown[]): number[] {
  if (row.every((value) => typeof value === 'number')) return row as number[];
  throw new SilverlodeError('INVALID_ARGUMENT', `${name} must hold numbers`, { field: name });
}

/** Rows of equal length: missing entries have the lowest score and an empty id or -1. */
export function toOutputs(results: readonly RetrieveResult[], facts: ModelFacts): InferTensor[] {
  const batch = results.length;
  const width = Math.max(0, ...results.map(({ ids }) => ids.length));
  const output = (name: string, datatype: string, rowOf: (result: RetrieveResult) => unknown[], missing: unknown) => {
    const data = results.flatMap((result) => {
      const row = rowOf(result);
      return [...row, ...Array<unknown>(width - row.length).fill(missing)];
    });
    return { name, datatype, shape: [batch, width], data };
  };
  const finite = (values: Float32Array) =>
    Array.from(values, (value) => (Number.isFinite(value) ? value : MISSING_SCORE));
  const isNumber = facts.ids === 'number';
  return [
    output('ids', isNumber ? 'INT64' : 'BYTES', ({ ids }) => ids.map(jsonId), isNumber ? -1 : ''),
    output('scores', 'FP32', ({ scores }) => finite(scores), MISSING_SCORE),
    { name: 'counts', datatype: 'INT32', shape: [batch], data: results.map(({ ids }) => ids.length) },
    ...facts.tasks.map((task) =>
      output(`tasks.${task}`, 'FP32', ({ tasks }) => finite(tasks?.[task] as Float32Array), MISSING_SCORE),
    ),
  ];
}

/** Inputs and outputs as the protocol's metadata names them; -1 stands for any size. */
export function metadata({ heads, tower, tasks, ids, weights }: ModelFacts, dims: number) {
  const tensor = (name: string, datatype: string, shape: readonly number[]) => ({ name, datatype, shape });
  const own = Object.entries(FIELDS).map(([name, type]) =>
    tensor(name, type === 'string' ? 'BYTES' : type === 'boolean' ? 'BOOL' : 'FP32', [-1]),
  );
  return {
    inputs: [
      tensor('embedding', 'FP32', heads === 1 || heads === null ? [-1, dims] : [-1, heads, dims]),
      ...(tower ?? []).map((name) => tensor(`user.${name}`, 'FP32', [-1, -1])),
      ...own,
      ...weights.map(({ name }) => tensor(`weight.${name}`, 'FP32', [-1])),
    ],
    outputs: [
      tensor('ids', ids === 'number' ? 'INT64' : 'BYTES', [-1, -1]),
      tensor('scores', 'FP32', [-1, -1]),
      tensor('counts', 'INT32', [-1]),
      ...tasks.map((task) => tensor(`tasks.${task}`, 'FP32', [-1, -1])),
    ],
  };
}
