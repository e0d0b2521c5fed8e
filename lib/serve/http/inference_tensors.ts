// Tensors of the Open Inference Protocol to requests, and results to tensors.
import { SilverlodeError } from '../../errors.js';
import type { RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import type { ModelFacts } from '../served_model.js';
import { type JsonId, jsonId, parseId } from './json.js';
import type { ServiceLimits } from './options.js';

/** A tensor of the protocol. */
export interface InferTensor {
  name: string;
  shape: readonly number[];
  datatype: string;
  parameters?: Readonly<Record<string, unknown>>;
  /** Undefined where it follows the JSON. */
  data?: readonly unknown[];
}

/** What the values of a field may be. */
type Kind = 'integer' | 'number' | 'boolean' | 'string';

/** What requests may have beside embedding, user, weights and exclude: one value per request, or one parameter for all. */
const FIELDS: Readonly<Record<string, { kind: Kind; datatype: string }>> = {
  filter: { kind: 'string', datatype: 'BYTES' },
  k: { kind: 'integer', datatype: 'INT32' },
  minScore: { kind: 'number', datatype: 'FP32' },
  candidates: { kind: 'integer', datatype: 'INT32' },
  recall: { kind: 'number', datatype: 'FP32' },
  probes: { kind: 'integer', datatype: 'INT32' },
  count: { kind: 'boolean', datatype: 'BOOL' },
  minCandidates: { kind: 'integer', datatype: 'INT32' },
  exact: { kind: 'boolean', datatype: 'BOOL' },
  deadlineMs: { kind: 'number', datatype: 'FP32' },
};

/** Parameters of the protocol itself. `timeout` is a deadline in microseconds. */
const PROTOCOL_PARAMETERS = ['binary_data_output', 'timeout'];

/** Lowest float32: scores of entries that are missing, since JSON has no infinity. */
const MISSING_SCORE = -3.4028234663852886e38;
const DEFAULT_K = 100;

/**
 * One request per row of the inputs.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `LIMIT_EXCEEDED`.
 */
export function toRequests(
  inputs: readonly InferTensor[],
  parameters: Readonly<Record<string, unknown>>,
  ids: ModelFacts['ids'],
  limits: ServiceLimits,
): RetrieveRequest[] {
  const batch = inputs[0]?.shape[0] ?? 0;
  if (batch < 1) throw invalid('a batch needs at least one request');
  if (batch > limits.inferBatch) throw exceeded(`a batch of ${batch} requests, the limit is ${limits.inferBatch}`);
  requireOnce(inputs, parameters);
  const requests: RetrieveRequest[] = Array.from({ length: batch }, () => ({}));
  for (const [name, value] of Object.entries(parameters))
    for (const request of requests) setParameter(request, name, value);
  for (const input of inputs) {
    const rows = rowsOf(input, batch);
    requests.forEach((request, row) => {
      setInput(request, input, rows[row] as unknown[], { ids, limits });
    });
  }
  checkLimits(requests, limits);
  return requests;
}

function requireOnce(inputs: readonly InferTensor[], parameters: Readonly<Record<string, unknown>>): void {
  const names = [...inputs.map(({ name }) => name), ...Object.keys(parameters)];
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw invalid(`'${twice}' is given twice`, twice);
}

function checkLimits(requests: readonly RetrieveRequest[], limits: ServiceLimits): void {
  let longest = 0;
  for (const { k = DEFAULT_K, candidates = 0, filter = '' } of requests) {
    if (k > limits.k || candidates > limits.candidates || (filter as string).length > limits.filterLength)
      throw exceeded('k, candidates or filter is beyond the limits of the service');
    longest = Math.max(longest, k);
  }
  if (longest * requests.length > limits.results)
    throw exceeded(`${requests.length} requests of ${longest} results, the limit is ${limits.results} in all`);
}

function setParameter(request: RetrieveRequest, name: string, value: unknown): void {
  if (Object.hasOwn(FIELDS, name)) setField(request, name, value);
  else if (name.startsWith('weight.')) setWeight(request, name, value);
  else if (name === 'timeout') setTimeoutOf(request, value);
  else if (name === 'binary_data_output') requireKind(name, value, 'boolean');
  else {
    const known = [...Object.keys(FIELDS), 'weight.<name>', ...PROTOCOL_PARAMETERS].join(', ');
    throw invalid(`unknown parameter '${name}'; known: ${known}`, name);
  }
}

function setTimeoutOf(request: RetrieveRequest, value: unknown): void {
  const microseconds = requireKind('timeout', value, 'integer') as number;
  // Zero is what clients send that want none.
  if (microseconds > 0) request.deadlineMs = microseconds / 1000;
}

function setInput(
  request: RetrieveRequest,
  { name, shape, datatype }: InferTensor,
  row: readonly unknown[],
  { ids, limits }: { ids: ModelFacts['ids']; limits: ServiceLimits },
): void {
  const numbers = () => {
    requireType(name, datatype, 'number');
    return row.map((value) => Number(requireKind(name, value, 'number')));
  };
  if (name === 'embedding') request.embedding = toEmbedding(numbers(), shape);
  else if (name === 'exclude') {
    if (row.length > limits.exclude) throw exceeded(`exclude has ${row.length} ids, the limit is ${limits.exclude}`);
    request.exclude = row.map((id) => parseId(plainId(id), ids));
  } else if (name.startsWith('user.')) {
    request.user = { ...request.user, [name.slice('user.'.length)]: numbers() };
  } else if (name.startsWith('weight.')) {
    requireType(name, datatype, 'number');
    setWeight(request, name, only(name, row));
  } else if (Object.hasOwn(FIELDS, name)) {
    requireType(name, datatype, FIELDS[name]?.kind as Kind);
    setField(request, name, only(name, row));
  } else {
    const known = ['embedding', 'user.<input>', 'exclude', 'weight.<name>', ...Object.keys(FIELDS)].join(', ');
    throw invalid(`unknown input '${name}'; known: ${known}`, name);
  }
}

function toEmbedding(numbers: readonly number[], shape: readonly number[]): Float32Array | Float32Array[] {
  const flat = Float32Array.from(numbers);
  if (shape.length < 3) return flat;
  const [, heads = 1, dims = 0] = shape;
  return Array.from({ length: heads }, (_, head) => flat.subarray(head * dims, (head + 1) * dims));
}

function setField(request: RetrieveRequest, name: string, value: unknown): void {
  Object.assign(request, { [name]: requireKind(name, value, FIELDS[name]?.kind as Kind) });
}

function setWeight(request: RetrieveRequest, name: string, value: unknown): void {
  const weight = requireKind(name, value, 'number') as number;
  request.weights = { ...request.weights, [name.slice('weight.'.length)]: weight };
}

/** The datatypes that hold values of a kind. */
const DATATYPES_OF: Readonly<Record<Kind, RegExp>> = {
  integer: /^U?INT(8|16|32|64)$/,
  number: /^(U?INT(8|16|32|64)|FP(16|32|64)|BF16)$/,
  boolean: /^BOOL$/,
  string: /^BYTES$/,
};

function requireType(name: string, datatype: string, kind: Kind): void {
  if (!DATATYPES_OF[kind].test(datatype)) throw invalid(`${name} must hold ${kind}s, not ${datatype}`, name);
}

/** 64-bit integers become numbers where these are exact. */
function requireKind(name: string, value: unknown, kind: Kind): number | boolean | string {
  const plain = typeof value === 'bigint' ? Number(value) : value;
  const isExact = typeof value !== 'bigint' || kind === 'number' || Number.isSafeInteger(plain);
  const isKind = kind === 'integer' ? Number.isInteger(plain) : typeof plain === kind;
  if (!isKind || !isExact) throw invalid(`${name} must be ${kind === 'integer' ? 'an' : 'a'} ${kind}`, name);
  return plain as number | boolean | string;
}

/** Binary data has integers of 64 bits also where ids are numbers. */
function plainId(id: unknown): JsonId {
  const plain = Number(id);
  return typeof id === 'bigint' && Number.isSafeInteger(plain) ? plain : (id as JsonId);
}

/** The one value of a row. */
function only(name: string, row: readonly unknown[]): unknown {
  if (row.length === 1) return row[0];
  throw new SilverlodeError('SHAPE_MISMATCH', `${name} must have one value per request, got ${row.length}`, {
    field: name,
  });
}

/** The tensor cut along its first dimension; data may be nested or flat. */
function rowsOf({ name, shape, data = [] }: InferTensor, batch: number): unknown[][] {
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
  const width = size / batch;
  return Array.from({ length: batch }, (_, row) => flat.slice(row * width, (row + 1) * width));
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
export function metadata({ heads, tower, tasks, ids, weights, candidates }: ModelFacts, dims: number) {
  const tensor = (name: string, datatype: string, shape: readonly number[]) => ({ name, datatype, shape });
  const idType = ids === 'number' ? 'INT64' : 'BYTES';
  const own = Object.entries(FIELDS).filter(([name]) => name !== 'candidates' || candidates !== null);
  return {
    inputs: [
      tensor('embedding', 'FP32', heads === 1 || heads === null ? [-1, dims] : [-1, heads, dims]),
      ...(tower ?? []).map((name) => tensor(`user.${name}`, 'FP32', [-1, -1])),
      ...own.map(([name, { datatype }]) => tensor(name, datatype, [-1])),
      tensor('exclude', idType, [-1, -1]),
      ...weights.map(({ name }) => tensor(`weight.${name}`, 'FP32', [-1])),
    ],
    outputs: [
      tensor('ids', idType, [-1, -1]),
      tensor('scores', 'FP32', [-1, -1]),
      tensor('counts', 'INT32', [-1]),
      ...tasks.map((task) => tensor(`tasks.${task}`, 'FP32', [-1, -1])),
    ],
  };
}

function invalid(message: string, field?: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message, { field });
}

function exceeded(message: string): SilverlodeError {
  return new SilverlodeError('LIMIT_EXCEEDED', message);
}
