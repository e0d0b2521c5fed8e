// Publishing: a catalogue and trained modules become one model.
import { type AttributeColumns, readAttributes } from '../index/attributes.js';
import { FilterIndex } from '../index/filter_index.js';
import { IvfIndex, type IvfOptions } from '../index/ivf_index.js';
import { breathe, inPieces, Progress, type ProgressEvent } from '../index/progress.js';
import { chooseRotation } from '../index/rotation.js';
import type { NativeDevice } from '../native/addon.js';
import { onDevice, openDevice, withSignal } from '../native/device.js';
import type { Reranker } from '../nn/reranker.js';
import { floatToFloat16 } from '../tensor/half.js';
import { Tensor, tensor, tensorInPieces } from '../tensor/tensor.js';
import type { FormulaExpr } from '../value/ast.js';
import { largestInItems, requireInRange } from './check_items.js';
import { type CheckedCatalogue, checkPublish } from './check_publish.js';
import type { CompactionOptions } from './fresh/compaction.js';
import { CatalogueIds } from './item_ids.js';
import { RetrievalModel } from './model.js';
import { calibrate } from './recall/calibrate.js';
import { recordModel } from './record.js';
import { RetrievalModule, type Tower } from './retrieval_module.js';
import { StoredItems, storedText } from './stored.js';
import type { ItemIds } from './types.js';

/** The catalogue. */
export interface Items {
  ids: ItemIds;
  /** float32 [items, dims], finite. */
  embeddings: Tensor | { data: Float32Array; shape: readonly number[] };
  /** One column per field. */
  attributes?: AttributeColumns;
  /** float32 [items, F]: columns for the reranker and the value formula. */
  features?: { data: Float32Array; shape: readonly number[]; names?: readonly string[] };
}

/** Options of the index; see `IvfOptions`. */
export interface IndexOptions extends Omit<IvfOptions, 'queries'> {
  /** Clusters per head of requests that name neither `probes` nor `recall`; default: a recall target of 0.98 decides. */
  probes?: number;
  /**
   * Whether candidates are scored again by float rows, which the model then holds beside the int8 ones: those of the reranker where
   * it has such, else float32 up to 2^26 numbers and float16 beyond (4 or 2 bytes each). Int8 scores cannot tell the order where
   * many items score nearly alike, as behind hundreds of items that a user has seen. `'auto'` (default): where a sample says
   * that they lose more than 1.5 % of the best 10, in models that neither rerank nor value. Priors (`bias`) are added to the float
   * scores too; an l2 index with priors is never rescored.
   */
  rescore?: boolean | 'auto';
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
  /**
   * Any JSON, one per item, kept compressed in the model for what comes back with results: the fields of an object can be selected by
   * name. At most 1 MiB each.
   */
  stored?: readonly unknown[];
  /** User features to embeddings; says in `inputs` what a request's `user` holds. */
  tower?: Tower;
  rerank?: Reranker;
  /**
   * What the reranker reads as item embedding: the int8 index rows (default, no second table; they are not rotated then), or a
   * table of its own.
   */
  rerankEmbeddings?: 'int8' | 'float16' | 'float32';
  /** Value formula; without one the score is the first task, without a reranker the retrieval score. */
  value?: string | FormulaExpr;
  /** Defaults of the formula's request weights. */
  weights?: Readonly<Record<string, number>>;
  /** float32 [queries, dims], or [queries, heads · dims]: typical queries, for what recall is calibrated on; default: a sample of the items stands in for them. */
  queries?: { data: Float32Array; shape: readonly number[] };
  device?: string;
  threads?: number;
  /** As the option of `RetrievalModel.load`; not part of the model. */
  maxFreshItems?: number;
  /** As the option of `RetrievalModel.load`; not part of the model. */
  compaction?: CompactionOptions | false;
  /** Seeds clustering and samples; default 0. */
  seed?: number;
  onProgress?: (event: ProgressEvent) => void;
  signal?: AbortSignal;
}

/** Numbers looked at between two turns of the event loop. */
const CHECK_NUMBERS = 2 ** 18;

/** Of the true order that int8 scores keep; below it, candidates are scored again by float rows. */
const ENOUGH_ORDER = 0.985;
/** Numbers of a catalogue up to which rows for rescoring are float32: 256 MiB. Float16 tells fewer neighbours apart. */
const MOST_FLOATS = 2 ** 26;
/** Largest numbers of rows that float16 holds with all its digits. */
const HALF_RANGE = [0.01, 30_000] as const;

/**
 * Builds a model: k-means, rows sorted by cluster, int8 rows, filter index, recorded programs. Deterministic for a seed at any
 * thread count; a published model then answers identically everywhere.
 *
 * Ids, columns and embeddings are read while the event loop runs: leave them unchanged until the promise settles.
 *
 * @throws SilverlodeError before any work for bad input: `INVALID_ARGUMENT` (NaN or infinite embeddings name the item),
 * `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, `FORMULA_SYNTAX`; `ABORTED` when the signal fires; `LIMIT_EXCEEDED` for more attribute
 * values than an index holds, 2^31 - 1 with and as many without a bit slice.
 * @example
 * ```ts
 * const model = await publish({
 *   items: { ids: ['a', 'b'], embeddings: { data: new Float32Array([1, 0, 0, 1]), shape: [2, 2] }, attributes: { language: ['en', 'de'] } },
 * });
 * const { ids } = await model.retrieve({ embedding: new Float32Array([1, 0]), filter: 'language:en' });
 * ```
 */
export async function publish(options: PublishOptions): Promise<RetrievalModel> {
  const checked = checkPublish(options);
  const device = openDevice(options);
  try {
    return await withSignal(options.signal, () => onDevice(device, () => build(options, checked, device)));
  } catch (error) {
    device.dispose();
    throw error;
  }
}

async function build(
  options: PublishOptions,
  checked: CheckedCatalogue,
  device: NativeDevice,
): Promise<RetrievalModel> {
  const { items, filter = {}, seed = 0, signal, onProgress } = options;
  const progress = new Progress(onProgress, signal);
  const { shape, index } = checked;

  progress.step('read', 0, 1);
  // Copying starts before this function first waits.
  const [embeddings, ids] = await Promise.all([readEmbeddings(checked, options), CatalogueIds.from(items.ids)]);
  await ids.index();
  const features =
    items.features && (await tensorInPieces(items.features.data, 'float32', items.features.shape, signal));
  const { stored } = options;
  const storedTensors = stored && (await StoredItems.build(shape[0], (item) => storedText(stored[item], item)));
  const columns = await readAttributes(items.attributes ?? {}, shape[0], { signal, onProgress });
  // A reranker multiplies the rows with the user's vector, so what it reads must be as given.
  const rotate = readsRows(options) ? false : index.rotate;
  if (rotate === false && index.rotate !== false) await hintAtRotating(embeddings, index, seed, progress);
  const queries =
    checked.queries && tensor(checked.queries.data, { shape: [checked.queries.data.length / shape[1], shape[1]] });
  const ivf = await IvfIndex.build(embeddings, { ...index, rotate, queries }, seed, progress);
  const eligible = await FilterIndex.build(columns, {
    ...filter,
    ordinals: ivf.ordinals.view() as Int32Array,
    items: shape[0],
    signal,
    onProgress,
  });
  const ranksAgain = options.rerank !== undefined || checked.value !== undefined;
  const wanted = index.rescore ?? 'auto';
  const takesPriors = index.metric !== 'l2'; // whose prior is part of the length
  const auto = !ranksAgain && (index.bias === undefined || takesPriors) && ivf.int8Recall < ENOUGH_ORDER;
  const rescored = wanted === 'auto' ? auto : wanted;
  const calibrated = ivf.learned && (await calibrate(ivf, ivf.learned, { device, seed, rescored, progress }));
  const module = new RetrievalModule(calibrated?.index ?? ivf, eligible, {
    tower: options.tower,
    rerank: options.rerank,
    value: checked.value,
    embeddings: await floatRows(options, rescored, embeddings),
    rescored,
    features,
  });
  const manifest = recordModel(module, {
    ids: ids.kind,
    columns: items.features?.names ?? [],
    probes: index.probes,
    recall: calibrated?.recall,
  });
  const tensors = new Map([...ownHandles(module.stateDict()), ...ids.tensors, ...(storedTensors ?? [])]);
  const { threads, maxFreshItems, compaction } = options;
  const use = { device: options.device, threads, maxFreshItems, compaction };
  return new RetrievalModel({ manifest, tensors, ids }, use, device);
}

/** The embeddings in native memory, under a handle of our own, every number finite. */
async function readEmbeddings(
  { embeddings, shape }: CheckedCatalogue,
  { rerank, rerankEmbeddings, signal }: PublishOptions,
): Promise<Tensor<'float32'>> {
  const own =
    embeddings instanceof Tensor
      ? embeddings.reshape(shape)
      : await tensorInPieces(embeddings, 'float32', shape, signal);
  const rows = Math.ceil(CHECK_NUMBERS / shape[1]);
  const largest = largestInItems(rerank && rerankEmbeddings);
  for (let row = 0; row < shape[0]; row += rows) {
    if (row > 0) await breathe();
    const some = own.view().subarray(row * shape[1], (row + rows) * shape[1]);
    requireInRange('items.embeddings', some, { dims: shape[1], first: row, largest });
  }
  return own;
}

/** The caller's modules keep their tensors: the model has handles of its own, so that disposing it leaves them alone. */
function ownHandles(state: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...state].map(([name, each]) => [name, /^(tower|rerank)\./.test(name) ? each.reshape(each.shape) : each]);
}

/** Whether a reranker reads the int8 rows of the index. */
function readsRows({ rerank, rerankEmbeddings = 'int8' }: PublishOptions): boolean {
  return rerank !== undefined && rerankEmbeddings === 'int8';
}

/** Says so where rotating would make int8 scores better. */
async function hintAtRotating(
  embeddings: Tensor<'float32'>,
  { metric = 'ip', bias }: IndexOptions,
  seed: number,
  progress: Progress,
): Promise<void> {
  const options = { metric, wanted: 'auto', biased: bias !== undefined, seed } as const;
  const { facts } = await chooseRotation(embeddings as Tensor, options);
  if (!facts.applied) return;
  const share = Math.round(100 * (facts.errorRatio as number));
  const hint = `rotated rows would have ${share} % of the error, but the reranker reads them; rerankEmbeddings 'float16' gives it a table`;
  progress.step('rotate', 0, 1, hint);
}

/** Rows beside the int8 ones: those that the reranker asks for, or that candidates are scored by again. */
async function floatRows(
  { rerank, rerankEmbeddings }: PublishOptions,
  rescored: boolean,
  embeddings: Tensor<'float32'>,
): Promise<Tensor | undefined> {
  const asked = rerank !== undefined && rerankEmbeddings !== 'int8' ? rerankEmbeddings : undefined;
  const half =
    rescored && asked === undefined && embeddings.view().length > MOST_FLOATS && (await fitsHalf(embeddings));
  const dtype = asked ?? (rescored ? (half ? 'float16' : 'float32') : undefined);
  if (dtype === undefined) return undefined;
  if (dtype === 'float32') return embeddings as Tensor;
  const table = Tensor.allocate('float16', embeddings.shape);
  const [from, to] = [embeddings.view(), table.view()];
  await inPieces(from.length, (begin, end) => {
    for (let i = begin; i < end; i++) to[i] = floatToFloat16(from[i] as number);
  });
  return table as Tensor;
}

/** Whether the largest number of every row is far from where float16 ends. */
async function fitsHalf(embeddings: Tensor<'float32'>): Promise<boolean> {
  const [items, dims] = embeddings.shape as [number, number];
  const values = embeddings.view();
  let fits = true;
  const look = (begin: number, end: number) => {
    for (let item = begin; item < end && fits; item++) {
      let most = 0;
      for (let i = item * dims; i < (item + 1) * dims; i++) most = Math.max(most, Math.abs(values[i] as number));
      fits = most === 0 || (most > HALF_RANGE[0] && most < HALF_RANGE[1]);
    }
  };
  await inPieces(items, look, Math.ceil(CHECK_NUMBERS / dims));
  return fits;
}
