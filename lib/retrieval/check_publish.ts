// What `publish` is given, checked before any work.
import { SilverlodeError } from '../errors.js';
import { requireFilterOptions } from '../index/filter_index.js';
import { Reranker } from '../nn/reranker.js';
import { ValueModel } from '../nn/value_model.js';
import { Tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { LARGEST_IN_ITEMS, LARGEST_IN_QUERIES, requireInRange, requireKnown } from './check_items.js';
import { checkCompaction } from './fresh/compaction.js';
import { requireIdList } from './item_ids.js';
import type { IndexOptions, PublishOptions } from './publish.js';
import { requireStored } from './stored.js';

const KNOWN = {
  publish: [
    ...['items', 'index', 'filter', 'tower', 'rerank', 'rerankEmbeddings', 'value', 'weights', 'queries', 'stored'],
    ...['device', 'threads', 'maxFreshItems', 'compaction', 'seed', 'onProgress', 'signal'],
  ],
  items: ['ids', 'embeddings', 'attributes', 'features'],
  embeddings: ['data', 'shape'],
  features: ['data', 'shape', 'names'],
  queries: ['data', 'shape'],
  index: ['clusters', 'metric', 'probes', 'bias', 'rotate', 'rescore'],
  filter: ['bitsPerTerm', 'sliceThreshold'],
};
const METRICS = ['ip', 'cosine', 'l2'];

type Shape = readonly [number, number];

/** A checked catalogue; the arrays are still the caller's. */
export interface CheckedCatalogue {
  /** Numbers to copy, or a tensor to share. */
  embeddings: Float32Array | Tensor<'float32'>;
  shape: Shape;
  value: ValueModel | undefined;
  /** Copied. */
  index: IndexOptions;
  /** Copied. */
  queries: { data: Float32Array; shape: Shape } | undefined;
}

/** @throws SilverlodeError for everything that can be refused before work starts, except what lies inside long columns. */
export function checkPublish(options: PublishOptions): CheckedCatalogue {
  requireKnown('publish', options, KNOWN.publish);
  const { items, filter = {}, rerank, rerankEmbeddings = 'int8', seed = 0 } = options;
  requireKnown('items', items, KNOWN.items);
  requireKnown('filter', filter, KNOWN.filter);
  requireFilterOptions(filter);
  if (!['int8', 'float16', 'float32'].includes(rerankEmbeddings))
    throw invalid(`unknown rerankEmbeddings '${rerankEmbeddings}'`);
  if (!Number.isSafeInteger(seed)) throw invalid(`seed must be an integer, got ${String(seed)}`);
  const { maxFreshItems } = options;
  if (maxFreshItems !== undefined && !isPositive(maxFreshItems))
    throw invalid(`maxFreshItems must be a positive integer, got ${String(maxFreshItems)}`);
  checkCompaction(options.compaction);
  const { embeddings, shape } = checkEmbeddings(items.embeddings);
  requireIdList('items.ids', items.ids);
  if (items.ids.length !== shape[0])
    throw new SilverlodeError('SHAPE_MISMATCH', `${items.ids.length} ids for ${shape[0]} embeddings`);
  if (options.stored !== undefined) requireStored(options.stored, shape[0]);
  const index = checkIndex(options.index ?? {}, shape[0]);
  if (index.rescore === true && (rerank !== undefined || options.value !== undefined))
    throw invalid('index.rescore is for models that neither rerank nor value: these order their candidates themselves');
  if (index.rotate === true && rerank !== undefined && rerankEmbeddings === 'int8')
    throw invalid("index.rotate needs rerankEmbeddings 'float16' or 'float32': the reranker would read rotated rows");
  checkColumns(items, shape[0]);
  if (rerank !== undefined) checkReranker(rerank, shape[1], items.features?.shape[1] ?? 0);
  return {
    embeddings,
    shape,
    value: valueModel(options),
    index,
    queries: checkQueries(options.queries, shape[1]),
  };
}

function checkEmbeddings(given: PublishOptions['items']['embeddings']) {
  if (given instanceof Tensor && (given as Tensor).dtype !== 'float32') {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `items.embeddings must be float32, got ${given.dtype}`);
  }
  if (!(given instanceof Tensor)) requireKnown('items.embeddings', given, KNOWN.embeddings);
  const tensor = given instanceof Tensor ? (given as Tensor<'float32'>) : undefined;
  const data = tensor ? tensor.view() : (given as { data: Float32Array }).data;
  const shape = matrixShape('items.embeddings', data, given.shape);
  if (shape[0] === 0) throw invalid('the catalogue is empty');
  return { embeddings: tensor ?? data, shape };
}

function checkIndex(index: IndexOptions, items: number): IndexOptions {
  requireKnown('index', index, KNOWN.index);
  const { clusters = 'auto', metric, probes, bias, rotate = 'auto', rescore = 'auto' } = index;
  if (rescore !== 'auto' && typeof rescore !== 'boolean')
    throw invalid(`index.rescore must be true, false or 'auto', got ${String(rescore)}`);
  if (rescore === true && bias !== undefined && metric === 'l2')
    throw invalid(
      'index.rescore with index.bias is for ip and cosine: an l2 index keeps no prior apart from the length',
    );
  if (rotate !== 'auto' && typeof rotate !== 'boolean')
    throw invalid(`index.rotate must be true, false or 'auto', got ${String(rotate)}`);
  if (metric !== undefined && !METRICS.includes(metric)) {
    throw invalid(`unknown metric '${metric}'; use ${METRICS.join(', ')}`);
  }
  if (clusters !== 'auto' && clusters !== 'flat' && !isPositive(clusters)) {
    throw invalid(`index.clusters must be a positive integer, 'auto' or 'flat', got ${String(clusters)}`);
  }
  if (probes !== undefined && !isPositive(probes)) {
    throw invalid(`index.probes must be a positive integer, got ${String(probes)}`);
  }
  if (bias === undefined) return { ...index };
  if (!isTypedArrayOf(bias, Float32Array) && !Array.isArray(bias)) {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', 'index.bias must be a Float32Array or a list of numbers');
  }
  if (bias.length !== items)
    throw new SilverlodeError('SHAPE_MISMATCH', `index.bias has ${bias.length} entries for ${items} items`);
  const copy = Float32Array.from(bias);
  requireInRange('index.bias', copy, { dims: 1, largest: LARGEST_IN_ITEMS });
  return { ...index, bias: copy };
}

/** Lengths of all columns; what attributes hold is checked while they are read. */
function checkColumns({ attributes = {}, features }: PublishOptions['items'], items: number): void {
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes))
    throw invalid('items.attributes must be an object with one column per field');
  for (const [name, column] of Object.entries(attributes)) {
    if (column?.length === items) continue;
    const message = `attribute '${name}' has ${column?.length} rows for ${items} items`;
    throw new SilverlodeError('SHAPE_MISMATCH', message, { field: name });
  }
  if (features === undefined) return;
  requireKnown('items.features', features, KNOWN.features);
  const [rows, columns] = matrixShape('items.features', features.data, features.shape);
  if (rows !== items) throw new SilverlodeError('SHAPE_MISMATCH', `${rows} feature rows for ${items} items`);
  if (features.names && features.names.length !== columns)
    throw new SilverlodeError('SHAPE_MISMATCH', 'items.features.names needs one name per column');
}

function checkQueries(queries: PublishOptions['queries'], dims: number): CheckedCatalogue['queries'] {
  if (queries === undefined) return undefined;
  requireKnown('queries', queries, KNOWN.queries);
  const shape = matrixShape('queries', queries.data, queries.shape);
  if (shape[1] % dims !== 0 || shape[0] === 0)
    throw new SilverlodeError('SHAPE_MISMATCH', `queries have shape [${shape}], items have ${dims} dimensions`);
  const data = queries.data.slice();
  requireInRange('queries', data, { dims, largest: LARGEST_IN_QUERIES });
  return { data, shape };
}

function matrixShape(name: string, data: unknown, shape: readonly number[] | undefined): Shape {
  if (!isTypedArrayOf(data, Float32Array))
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `${name}.data must be a Float32Array`);
  const fits = Array.isArray(shape) && shape.length === 2 && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || (shape[0] as number) * (shape[1] as number) !== data.length || shape[1] === 0) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `${name}: shape ${JSON.stringify(shape)} does not fit ${data.length} numbers`,
    );
  }
  return shape as unknown as Shape;
}

function checkReranker(rerank: Reranker, dims: number, features: number): void {
  if (!(rerank instanceof Reranker)) throw invalid('rerank must be a Reranker such as nn.OverArch');
  if (rerank.dims !== dims)
    throw new SilverlodeError('SHAPE_MISMATCH', `the reranker takes ${rerank.dims} dimensions, items have ${dims}`);
  if (rerank.features !== features && rerank.features !== 0) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `the reranker takes ${rerank.features} feature columns, items have ${features}`,
    );
  }
}

/** The value model; with a reranker and no formula, the first task. */
function valueModel({ value, rerank, items, weights }: PublishOptions): ValueModel | undefined {
  if (value === undefined && rerank === undefined) {
    if (weights !== undefined) throw invalid('weights are those of a value formula, and there is none');
    return undefined;
  }
  const tasks = rerank?.tasks ?? [];
  const formula = value ?? (`"${(tasks[0] as string).replace(/["\\]/g, '\\$&')}"` as const);
  return new ValueModel(formula, { tasks, columns: items.features?.names ?? [], weights });
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1;
}

function invalid(message: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message);
}
