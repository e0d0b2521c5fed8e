// Publishing: a catalogue and trained modules become one model.
import { Random } from '../data/random.js';
import { SilverlodeError } from '../errors.js';
import { type AttributeColumns, readAttributes } from '../index/attributes.js';
import { FilterIndex } from '../index/filter_index.js';
import { IvfIndex, type IvfOptions } from '../index/ivf_index.js';
import { Progress, type ProgressEvent } from '../index/progress.js';
import type { ProgramSpec } from '../native/addon.js';
import { openDevice } from '../native/device.js';
import { Reranker } from '../nn/over_arch.js';
import { ValueModel } from '../nn/value_model.js';
import { type InputSpecs, trace } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { floatToFloat16 } from '../tensor/half.js';
import { Tensor, tensor, tensorInPieces } from '../tensor/tensor.js';
import type { FormulaExpr } from '../value/ast.js';
import { requireFinite, requireKnown } from './check_items.js';
import { CatalogueIds } from './item_ids.js';
import type { Manifest } from './manifest.js';
import { RetrievalModel } from './model.js';
import { REQUEST_INPUTS, RetrievalModule, type Tower } from './retrieval_module.js';
import type { ItemIds } from './types.js';

/** The catalogue. */
export interface Items {
  ids: ItemIds;
  /** float32 [items, dims], finite. */
  embeddings: Tensor | { data: Float32Array; shape: readonly [number, number] };
  /** One column per field. */
  attributes?: AttributeColumns;
  /** float32 [items, F]: columns for the reranker and the value formula. */
  features?: { data: Float32Array; shape: readonly [number, number]; names?: readonly string[] };
}

/** Options of the index; see `IvfOptions`. */
export interface IndexOptions extends IvfOptions {
  /** Default clusters per head; otherwise tuned on a sample, so that recall@100 >= 0.98 holds. */
  probes?: number;
}

/** Options of the filter index. */
export interface FilterOptions {
  /** Bits of Bloom signature per term of a row, default 12. */
  bitsPerTerm?: number;
  /** Share of rows from which on a term gets an exact bit slice. */
  sliceThreshold?: number;
}

/** Everything `publish` takes. */
export interface PublishOptions {
  items: Items;
  index?: IndexOptions;
  filter?: FilterOptions;
  /** User features to embeddings; says in `inputs` what a request's `user` holds. */
  tower?: Tower;
  rerank?: Reranker;
  /** What the reranker reads as item embedding: the int8 index rows (default, no second table), or a table of its own. */
  rerankEmbeddings?: 'int8' | 'float16' | 'float32';
  /** Value formula; without one the score is the first task, without a reranker the retrieval score. */
  value?: string | FormulaExpr;
  /** Defaults of the formula's request weights. */
  weights?: Readonly<Record<string, number>>;
  /** float32 [queries, dims]: typical queries to tune probes with; default: a sample of the items. */
  queries?: { data: Float32Array; shape: readonly [number, number] };
  device?: string;
  threads?: number;
  /** Seeds clustering and samples; default 0. */
  seed?: number;
  onProgress?: (event: ProgressEvent) => void;
  signal?: AbortSignal;
}

const KNOWN = {
  publish: [
    'items',
    'index',
    'filter',
    'tower',
    'rerank',
    'rerankEmbeddings',
    'value',
    'weights',
    'queries',
    'device',
    'threads',
    'seed',
    'onProgress',
    'signal',
  ],
  items: ['ids', 'embeddings', 'attributes', 'features'],
  index: ['clusters', 'metric', 'probes', 'bias'],
  filter: ['bitsPerTerm', 'sliceThreshold'],
};
const METRICS = ['ip', 'cosine', 'l2'];
const TUNE_QUERIES = 256;
/** On the sample. Real queries differ from it and int8 itself loses a little; so 0.98 of exact search is kept with these. */
const TUNE_RECALL = 0.99;

/**
 * Builds a model: k-means, rows sorted by cluster, int8 rows, filter index, recorded programs. Deterministic for a seed at any
 * thread count; a published model then answers identically everywhere.
 *
 * @throws SilverlodeError before any work for bad input: `INVALID_ARGUMENT` (NaN or infinite embeddings name the item),
 * `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, `FORMULA_SYNTAX`; `ABORTED` when the signal fires.
 * @example
 * ```ts
 * const model = await publish({
 *   items: { ids: ['a', 'b'], embeddings: { data: new Float32Array([1, 0, 0, 1]), shape: [2, 2] }, attributes: { language: ['en', 'de'] } },
 * });
 * const { ids } = await model.retrieve({ embedding: new Float32Array([1, 0]), filter: 'language:en' });
 * ```
 */
export async function publish(options: PublishOptions): Promise<RetrievalModel> {
  const checked = check(options);
  const { items, index = {}, filter = {}, seed = 0, signal } = options;
  const progress = new Progress(options.onProgress, signal);
  const { ids, shape } = checked;

  progress.step('read', 0, 1);
  const columns = await readAttributes(items.attributes ?? {}, shape[0], { signal, onProgress: options.onProgress });
  const embeddings = checked.tensor ?? (await tensorInPieces(checked.data, 'float32', shape, signal));
  const ivf = await IvfIndex.build(embeddings, index, seed, progress);
  const eligible = await FilterIndex.build(columns, {
    ...filter,
    ordinals: ivf.ordinals.view() as Int32Array,
    items: shape[0],
    signal,
    onProgress: options.onProgress,
  });
  const module = new RetrievalModule(ivf, eligible, {
    tower: options.tower,
    rerank: options.rerank,
    value: checked.value,
    embeddings: await rerankTable(options, embeddings),
    features: items.features && (await tensorInPieces(items.features.data, 'float32', items.features.shape, signal)),
  });
  const manifest = describe(module, checked, options, ids);
  const tensors = new Map([...module.stateDict(), ...ids.tensors()]);
  const device = openDevice({ device: options.device, threads: options.threads });
  const model = new RetrievalModel({ manifest, tensors }, { device: options.device, threads: options.threads }, device);
  if (index.probes === undefined && manifest.clusters > 1) {
    progress.step('tune', 0, 1);
    await model.tune({ queries: options.queries ?? sampleQueries(checked.data, shape, seed), recall: TUNE_RECALL });
    progress.step('tune', 1, 1);
  }
  return model;
}

interface Checked {
  ids: CatalogueIds;
  data: Float32Array;
  tensor: Tensor<'float32'> | undefined;
  shape: readonly [number, number];
  value: ValueModel | undefined;
}

/** Everything that can be refused before any work is. */
function check(options: PublishOptions): Checked {
  requireKnown('publish', options, KNOWN.publish);
  const { items, index = {}, filter = {}, rerank, rerankEmbeddings = 'int8' } = options;
  requireKnown('items', items, KNOWN.items);
  requireKnown('index', index, KNOWN.index);
  requireKnown('filter', filter, KNOWN.filter);
  if (index.metric !== undefined && !METRICS.includes(index.metric)) {
    throw invalid(`unknown metric '${index.metric}'; use ${METRICS.join(', ')}`);
  }
  if (!['int8', 'float16', 'float32'].includes(rerankEmbeddings))
    throw invalid(`unknown rerankEmbeddings '${rerankEmbeddings}'`);
  if (index.probes !== undefined && !(Number.isInteger(index.probes) && index.probes >= 1)) {
    throw invalid(`index.probes must be a positive integer, got ${index.probes}`);
  }
  const { embeddings, features } = items;
  const tensorGiven = embeddings instanceof Tensor ? (embeddings as Tensor<'float32'>) : undefined;
  if (tensorGiven && tensorGiven.dtype !== 'float32') {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `items.embeddings must be float32, got ${tensorGiven.dtype}`);
  }
  const data = tensorGiven ? tensorGiven.view() : (embeddings as { data: Float32Array })?.data;
  const shape = matrixShape('items.embeddings', data, (embeddings as { shape: readonly number[] })?.shape);
  if (shape[0] === 0) throw invalid('the catalogue is empty');
  const ids = CatalogueIds.from(items.ids);
  if (ids.length !== shape[0])
    throw new SilverlodeError('SHAPE_MISMATCH', `${ids.length} ids for ${shape[0]} embeddings`);
  requireFinite('items.embeddings', data, shape[1]);
  for (const [name, column] of Object.entries(items.attributes ?? {})) {
    if (column?.length !== shape[0])
      throw new SilverlodeError(
        'SHAPE_MISMATCH',
        `attribute '${name}' has ${column?.length} rows for ${shape[0]} items`,
        { field: name },
      );
  }
  const featureShape = features && matrixShape('items.features', features.data, features.shape);
  if (featureShape && featureShape[0] !== shape[0])
    throw new SilverlodeError('SHAPE_MISMATCH', `${featureShape[0]} feature rows for ${shape[0]} items`);
  if (features?.names && features.names.length !== featureShape?.[1])
    throw new SilverlodeError('SHAPE_MISMATCH', 'items.features.names needs one name per column');
  if (rerank !== undefined) checkReranker(rerank, shape[1], featureShape?.[1] ?? 0);
  if (options.queries) matrixShape('queries', options.queries.data, options.queries.shape);
  return { ids, data, tensor: tensorGiven, shape, value: valueModel(options) };
}

function matrixShape(name: string, data: unknown, shape: readonly number[] | undefined): readonly [number, number] {
  if (!(data instanceof Float32Array))
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `${name}.data must be a Float32Array`);
  const fits = Array.isArray(shape) && shape.length === 2 && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || (shape[0] as number) * (shape[1] as number) !== data.length || shape[1] === 0) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `${name}: shape ${JSON.stringify(shape)} does not fit ${data.length} numbers`,
    );
  }
  return shape as unknown as readonly [number, number];
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
  if (value === undefined && rerank === undefined) return undefined;
  const tasks = rerank?.tasks ?? [];
  const formula = value ?? (`"${(tasks[0] as string).replace(/["\\]/g, '\\$&')}"` as const);
  return new ValueModel(formula, { tasks, columns: items.features?.names ?? [], weights });
}

async function rerankTable(
  { rerank, rerankEmbeddings }: PublishOptions,
  embeddings: Tensor<'float32'>,
): Promise<Tensor | undefined> {
  if (rerank === undefined || rerankEmbeddings === undefined || rerankEmbeddings === 'int8') return undefined;
  if (rerankEmbeddings === 'float32') return embeddings as Tensor;
  return tensor(Uint16Array.from(embeddings.view(), floatToFloat16), {
    dtype: 'float16',
    shape: embeddings.shape,
  }) as Tensor;
}

/** Records the programs and states what a request needs to know about the model. */
function describe(
  module: RetrievalModule,
  { shape, value }: Checked,
  options: PublishOptions,
  ids: CatalogueIds,
): Manifest {
  const [items, dims] = shape;
  const { index, rerank, tower } = module;
  const heads = rerank?.heads ?? null;
  const weights = value?.program.weights ?? [];
  const shared: InputSpecs = {
    request: REQUEST_INPUTS,
    ...(weights.length > 0
      ? { weights: { dtype: 'float32', shape: ['batch', weights.length] } satisfies InputSpec }
      : {}),
  };
  const embedding: InputSpec = { dtype: 'float32', shape: ['batch', heads ?? 'heads', dims] };
  const user = tower && trace(module, { user: tower.inputs, ...shared }).spec;
  const programs = { embedding: trace(module, { embedding, ...shared }).spec, user: user ?? null };
  return {
    items,
    dims,
    metric: index.parts.metric,
    clusters: index.clusters,
    flat: index.parts.flat,
    clusterRows: items / index.clusters,
    probes: Math.min(options.index?.probes ?? index.clusters, index.clusters),
    heads: heads ?? towerHeads(programs.user, dims),
    ids: ids.kind,
    filter: module.eligible.manifest(),
    tasks: [...(rerank?.tasks ?? [])],
    columns: [...(options.items.features?.names ?? [])],
    weights: weights.map(({ name, default: value }) => ({ name, default: value })),
    scored: value !== undefined,
    tower: tower?.inputs ?? null,
    programs,
  };
}

/** Embeddings per user that a recorded tower gives. */
function towerHeads(program: ProgramSpec | null, dims: number): number | null {
  const reshape = program?.steps.find(
    (step) => step.op === 'reshape' && (step.attributes.shape as number[]).at(-1) === dims,
  );
  return reshape === undefined ? null : ((reshape.attributes.shape as number[])[1] as number);
}

/** Items as queries, where no real ones are given. */
function sampleQueries(data: Float32Array, [items, dims]: readonly [number, number], seed: number) {
  const random = new Random(seed);
  const count = Math.min(items, TUNE_QUERIES);
  const queries = new Float32Array(count * dims);
  for (let q = 0; q < count; q++) {
    const item = random.integer(items);
    queries.set(data.subarray(item * dims, (item + 1) * dims), q * dims);
  }
  return { data: queries, shape: [count, dims] as const };
}

function invalid(message: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message);
}
