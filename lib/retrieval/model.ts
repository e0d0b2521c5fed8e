// A loaded model: the whole retrieval stack behind one object.
import { SilverlodeError } from '../errors.js';
import { FilterIndex } from '../index/filter_index.js';
import type { NativeDevice } from '../native/addon.js';
import { openDevice } from '../native/device.js';
import type { Tensor } from '../tensor/tensor.js';
import { Answerer } from './answer.js';
import { BatchRunner } from './batch_runner.js';
import { CatalogueIds } from './item_ids.js';
import { checkLoadOptions, type LoadOptions } from './load_options.js';
import { type Manifest, parseManifest } from './manifest.js';
import { readModelFile, writeModelFile } from './model_file.js';
import { type CheckedRequest, RequestChecker } from './requests.js';
import type { StageProfile } from './stage_profile.js';
import { type TuneOptions, type TuneResult, tuneProbes } from './tune.js';
import type { RetrieveBatchRequest, RetrieveBatchResult, RetrieveRequest, RetrieveResult } from './types.js';

export type { LoadOptions } from './load_options.js';

/** What `explain` tells about a request before it runs. */
export interface RetrievalPlan {
  /** What the request starts with; filters may extend it at run time. */
  strategy: 'flat' | 'ivf';
  clusters: number;
  probes: number;
  heads: number;
  k: number;
  candidates: number;
  minCandidates: number;
  /** Steps of the filter plan, 0 without a filter. */
  filterSteps: number;
  excludedItems: number;
  /** Bytes of index rows the unfiltered scan would read. */
  scanBytes: number;
  /** SIMD level or device variant that runs it. */
  variant: string;
  /** Sizes of the bucket the request runs in. */
  capacities: Record<string, number>;
  /**
   * `modelBytes`: all tensors of the model. `arenaBytes`, `preparedBytes`: working memory and packed weights of the bucket.
   * `deviceBytes`: what the device must hold for this request: both, and the tensors that the programs read.
   */
  memory: { modelBytes: number; arenaBytes: number; preparedBytes: number; deviceBytes: number };
}

/** @internal Everything a model is made of, from `publish` or from a file. */
export interface ModelParts {
  manifest: Manifest;
  tensors: Map<string, Tensor>;
}

/**
 * User tower, eligibility filter, int8 search, reranker and value model as one network with the item index inside it.
 *
 * Any number of calls may be in flight; they run in order on the model's own threads, never on the event loop. Requests by
 * embedding without reranker and value formula give the same ids and scores at every SIMD level, thread count and batch.
 */
export class RetrievalModel {
  readonly #manifest: Manifest;
  readonly #tensors: Map<string, Tensor>;
  readonly #ids: CatalogueIds;
  readonly #eligible: FilterIndex;
  readonly #runner: BatchRunner;
  readonly #checker: RequestChecker;
  readonly #answerer: Answerer;
  readonly #open = new Set<Promise<unknown>>();
  #disposed = false;

  /** @internal Use `publish()` or `RetrievalModel.load()`. */
  constructor(
    { manifest, tensors }: ModelParts,
    options: LoadOptions = {},
    device: NativeDevice = openDevice(options),
  ) {
    this.#manifest = manifest;
    this.#tensors = tensors;
    this.#ids = CatalogueIds.restore(manifest.ids, tensors, manifest.items);
    this.#eligible = FilterIndex.restore(manifest.filter, withPrefix(tensors, 'eligible.'));
    const limits = checkLoadOptions(options);
    this.#runner = new BatchRunner(
      device,
      manifest,
      tensors,
      limits,
      requireTensor(tensors, 'index.rows').shape[1] as number,
    );
    const rowOf = requireTensor(tensors, 'index.rowOf').view() as Int32Array;
    this.#checker = new RequestChecker(manifest, limits, this.#eligible, this.#ids, () => rowOf);
    this.#answerer = new Answerer(manifest, this.#ids, this.#checker, this.#runner);
  }

  /**
   * Loads a model file. Large files are memory-mapped: replace one by rename, never rewrite it in place.
   *
   * @throws SilverlodeError `IO_ERROR`, `CORRUPT_FILE` (naming the tensor or field), `UNSUPPORTED_VERSION`,
   * `DEVICE_UNAVAILABLE`, `OUT_OF_MEMORY` where it does not fit on the device, `INVALID_ARGUMENT` for options.
   * @example
   * ```ts
   * await using model = await RetrievalModel.load('books.silverlode');
   * const { ids } = await model.retrieve({ embedding, filter: 'language:en', k: 20 });
   * ```
   */
  static async load(path: string, options: LoadOptions = {}): Promise<RetrievalModel> {
    checkLoadOptions(options);
    const device = openDevice(options);
    try {
      const tensors = await readModelFile(device, path, options.verify ?? true);
      const manifest = parseManifest(requireTensor(tensors, 'manifest').view() as Uint8Array);
      const model = new RetrievalModel({ manifest, tensors }, options, device);
      await model.#runner.load();
      return model;
    } catch (error) {
      device.dispose();
      throw error instanceof SilverlodeError
        ? new SilverlodeError(error.code, `${path}: ${error.message}`, { ...error })
        : error;
    }
  }

  /** Items in the catalogue. */
  get items(): number {
    return this.#manifest.items;
  }

  /** Dimensions of an embedding. */
  get dims(): number {
    return this.#manifest.dims;
  }

  /** What the model is made of, for people and tools. */
  describe(): Record<string, unknown> {
    const { items, dims, metric, clusters, flat, probes, heads, tasks, columns, weights, tower, filter } =
      this.#manifest;
    const tensors = [...this.#tensors].map(([name, { dtype, shape, nbytes }]) => ({
      name,
      dtype,
      shape,
      bytes: nbytes,
    }));
    return {
      items,
      dims,
      metric,
      clusters,
      flat,
      probes,
      heads,
      tasks,
      columns,
      weights,
      ids: this.#manifest.ids,
      tower: tower === null ? null : Object.keys(tower),
      fields: filter.fields,
      bytes: this.#bytes(),
      deviceBytes: this.#runner.constantBytes,
      tensors,
    };
  }

  /**
   * Writes the model: to a temporary file beside `path`, flushed, then renamed over it.
   *
   * @param options `signal`: stops the writing before its next tensor; unlike other waits this one ends only when the
   * temporary file is gone.
   * @throws SilverlodeError `IO_ERROR`, `ABORTED`; the old file is untouched then.
   */
  save(path: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#track(async () => {
      const manifest = new TextEncoder().encode(JSON.stringify(this.#manifest));
      await writeModelFile(this.#runner.device, path, this.#tensors, manifest, options.signal);
    });
  }

  /**
   * Answers one request, or several in one native run; in a list a bad request fails alone, as a `SilverlodeError` in its
   * place.
   *
   * @param options `signal`: the wait ends at once, native work at its next step.
   * @throws SilverlodeError with the code that fits the fault; `DISPOSED` after `dispose()`.
   */
  retrieve(request: RetrieveRequest, options?: { signal?: AbortSignal }): Promise<RetrieveResult>;
  retrieve(
    requests: readonly RetrieveRequest[],
    options?: { signal?: AbortSignal },
  ): Promise<(RetrieveResult | SilverlodeError)[]>;
  retrieve(
    given: RetrieveRequest | readonly RetrieveRequest[],
    options: { signal?: AbortSignal } = {},
  ): Promise<RetrieveResult | (RetrieveResult | SilverlodeError)[]> {
    if (Array.isArray(given))
      return this.#track(() => this.#answerer.all(given as readonly RetrieveRequest[], options.signal));
    return this.#track(async () => {
      const [result] = await this.#answerer.all([given as RetrieveRequest], options.signal);
      if (result instanceof SilverlodeError) throw result;
      return result as RetrieveResult;
    });
  }

  /**
   * Many requests by embedding in flat arrays, for throughput.
   *
   * @throws SilverlodeError for the first bad request, naming it; nothing runs then.
   */
  retrieveBatch(batch: RetrieveBatchRequest, options: { signal?: AbortSignal } = {}): Promise<RetrieveBatchResult> {
    return this.#track(() => this.#answerer.batch(batch, options.signal));
  }

  /** The plan of a request before it runs: strategy, clusters, bytes, memory. */
  explain(request: RetrieveRequest): Promise<RetrievalPlan> {
    return this.#track(async () => {
      const checked = this.#checker.check(request);
      const manifest = this.#manifest;
      const { capacities, arenaBytes, preparedBytes } = await this.#runner.sizes([checked]);
      const rowBytes = requireTensor(this.#tensors, 'index.rows').shape[1] as number;
      return {
        strategy: manifest.flat ? 'flat' : 'ivf',
        clusters: manifest.clusters,
        probes: checked.probes,
        heads: checked.heads,
        k: checked.k,
        candidates: checked.candidates,
        minCandidates: checked.minCandidates,
        filterSteps: (checked.plan?.steps.length ?? 0) / 4,
        excludedItems: checked.excludeRows?.length ?? 0,
        scanBytes: Math.round(checked.heads * checked.probes * manifest.clusterRows * rowBytes),
        variant: this.#runner.device.variant,
        capacities,
        memory: {
          modelBytes: this.#bytes(),
          arenaBytes,
          preparedBytes,
          deviceBytes: this.#runner.constantBytes + arenaBytes + preparedBytes,
        },
      };
    });
  }

  /** Runs requests once in one batch and tells time, rows, bytes and rates of every stage, beside the measured read bandwidth. */
  profile(requests: RetrieveRequest | readonly RetrieveRequest[]): Promise<StageProfile[]> {
    return this.#track(async () => {
      const checked = (Array.isArray(requests) ? requests : [requests]).map((request) => this.#checker.check(request));
      const [run] = this.#runner.runs(checked);
      return this.#runner.profile((run ?? []).map((i) => checked[i] as CheckedRequest));
    });
  }

  /**
   * Finds by measurement the fewest probes that reach a recall target against the exhaustive int8 search, and stores them in
   * the model (saved with it).
   */
  tune(options: TuneOptions): Promise<TuneResult> {
    return this.#track(async () => {
      const answer = (batch: RetrieveBatchRequest) => this.#answerer.batch(batch, options.signal);
      const tuned = await tuneProbes(answer, this.#manifest, options);
      this.#manifest.probes = tuned.probes;
      return tuned;
    });
  }

  /** No new calls (`DISPOSED`); work in flight finishes, the last one frees the memory. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    Promise.allSettled(this.#open).then(() => {
      this.#runner.dispose();
      for (const tensor of this.#tensors.values()) tensor.dispose();
    });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** `dispose()`, and waits for the work in flight. */
  async close(): Promise<void> {
    const open = Promise.allSettled(this.#open);
    this.dispose();
    await open;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #bytes(): number {
    return [...this.#tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0);
  }

  #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#disposed) return Promise.reject(new SilverlodeError('DISPOSED', 'the model was disposed'));
    const promise = work();
    this.#open.add(promise);
    const done = () => this.#open.delete(promise);
    promise.then(done, done);
    return promise;
  }
}

function requireTensor(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined)
    throw new SilverlodeError('CORRUPT_FILE', `the model has no tensor '${name}'`, { tensor: name });
  return tensor;
}

function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );
}
