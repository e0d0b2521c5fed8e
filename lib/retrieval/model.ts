// A loaded model: the whole retrieval stack behind one object.
import { requireKnown, SilverlodeError } from '../errors.js';
import type { AttributeColumns } from '../index/attributes.js';
import type { ProgressEvent } from '../index/progress.js';
import type { NativeDevice } from '../native/addon.js';
import { openDevice } from '../native/device.js';
import { Answerer } from './answer.js';
import { Catalogue, type Freshness, type UpdateResult } from './catalogue.js';
import { inTime } from './deadline.js';
import { describeModel, type ModelDescription } from './describe.js';
import { explainRequest, type RetrievalPlan } from './explain.js';
import { explainItem, type ItemExplanation } from './explain_item.js';
import { checkUpdateOf } from './fresh/check_update.js';
import { type FollowOptions, follow, type LogEntry, type LogRun, type UpdateLog } from './fresh/follow.js';
import type { FsyncPolicy } from './fresh/journal.js';
import type { CheckedUpdate, FeatureValues, Update, UpsertItems } from './fresh/updates.js';
import { type GetOptions, itemsOf, type SelectedItem } from './give/items.js';
import { checkLoadOptions, type LoadLimits, type LoadOptions } from './load_options.js';
import { MainSegment, type ModelParts } from './main_segment.js';
import type { Manifest } from './manifest.js';
import { type MeasuredRecall, measureRecall, type RecallOptions, requireEmbeddings } from './measured_recall.js';
import { type CheckedRequest, RequestChecker } from './requests.js';
import { asError } from './results.js';
import type { StageProfile } from './stage_profile.js';
import { readModel, writeModel } from './stored_model.js';
import { keepTuned, type TuneOptions, type TuneResult, tuneModel, tuneRequests } from './tune.js';
import type {
  IdSet,
  ItemId,
  ItemIds,
  RetrieveBatchRequest,
  RetrieveBatchResult,
  RetrieveRequest,
  RetrieveResult,
} from './types.js';

/**
 * User tower, eligibility filter, int8 search, reranker and value model as one network with the item index inside it.
 *
 * Any number of calls may be in flight; they run in order on the model's own threads, never on the event loop. Requests by
 * embedding without reranker and value formula give the same ids and scores at every SIMD level, thread count and batch.
 */
export class RetrievalModel {
  readonly #device: NativeDevice;
  readonly #limits: LoadLimits;
  readonly #catalogue: Catalogue;
  readonly #checker: RequestChecker;
  readonly #answerer: Answerer;
  readonly #open = new Set<Promise<unknown>>();
  /** Ends what would go on for ever: following logs. */
  readonly #closing = new AbortController();
  #disposed: Promise<void> | undefined;

  /** @internal Use `publish()` or `RetrievalModel.load()`. */
  constructor(parts: ModelParts, options: LoadOptions = {}, device: NativeDevice = openDevice(options)) {
    const limits = checkLoadOptions(options);
    this.#limits = limits;
    this.#device = device;
    this.#catalogue = new Catalogue(new MainSegment(parts, limits, device), limits);
    this.#checker = new RequestChecker(this.#catalogue.current, limits);
    this.#answerer = new Answerer(this.#catalogue.current, this.#checker);
  }

  /**
   * Loads a model file. Large files are memory-mapped: replace one by rename, never rewrite it in place.
   *
   * With `journal`, updates that the file does not hold yet are applied before the promise resolves.
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
    let model: RetrievalModel | undefined;
    try {
      const { parts, saved } = await readModel(device, path, options.verify ?? true);
      model = new RetrievalModel(parts, options, device);
      await model.#catalogue.current().main.runner.load();
      if (saved) await model.#catalogue.restore(saved);
      if (options.journal !== undefined) await model.openJournal(options.journal, options.fsync);
      return model;
    } catch (error) {
      await model?.close();
      device.dispose();
      throw error instanceof SilverlodeError
        ? new SilverlodeError(error.code, `${path}: ${error.message}`, { ...error })
        : error;
    }
  }

  /** Items in the catalogue. */
  get items(): number {
    return this.#catalogue.current().items;
  }

  /** Dimensions of an embedding. */
  get dims(): number {
    return this.#manifest.dims;
  }

  /** What the model is made of, for people and tools. */
  describe(): ModelDescription {
    return describeModel(this.#catalogue.current());
  }

  /**
   * Writes the model with all updates that have been shown: to a temporary file beside `path`, flushed, then renamed over it.
   * Requests and updates go on meanwhile; a copy of the item features is held for that time.
   *
   * @param options `signal`: stops the writing before its next tensor; unlike other waits this one ends only when the
   * temporary file is gone. `trimJournal`: then drops the journal's records that the file holds; older files can no longer be
   * loaded with it.
   * @throws SilverlodeError `IO_ERROR`, `ABORTED`; the old file is untouched then.
   */
  save(path: string, options: { signal?: AbortSignal; trimJournal?: boolean } = {}): Promise<void> {
    return this.#track(async () => {
      requireKnown('save options', options, ['signal', 'trimJournal']);
      await writeModel(this.#catalogue, path, options);
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
   * Answers one request on the calling thread, as `retrieve` would: without the two changes of thread that a promise takes,
   * which cost more than a small search. The event loop stands still meanwhile, and until work that this model was given
   * before is done: for worker threads, scripts and commands, or where one request at a time is all there is. CPU only.
   *
   * @throws SilverlodeError as `retrieve`; `DEVICE_UNAVAILABLE` for a model on a GPU. A deadline is looked at when the answer is
   * there.
   * @example
   * ```ts
   * parentPort.on('message', (request) => parentPort.postMessage(model.retrieveSync(request)));
   * ```
   */
  retrieveSync(request: RetrieveRequest): RetrieveResult {
    this.#requireOpen();
    return this.#answerer.here(request);
  }

  /**
   * Many requests by embedding in flat arrays, for throughput.
   *
   * @throws SilverlodeError for the first bad request, naming it; nothing runs then.
   */
  retrieveBatch(batch: RetrieveBatchRequest, options: { signal?: AbortSignal } = {}): Promise<RetrieveBatchResult> {
    return this.#track(() => this.#answerer.batch(batch, options.signal));
  }

  /**
   * Items by their ids, in the order of these, as the current version has them: attributes and feature columns by name.
   *
   * @returns null for an id that no item has.
   * @throws SilverlodeError `UNKNOWN_FIELD` naming what there is, `INVALID_ARGUMENT`, `LIMIT_EXCEEDED` for more than 131 072 ids.
   * @example
   * ```ts
   * const [book] = await model.get(['book 7'], { select: ['title', 'year'] });
   * ```
   */
  get(ids: IdSet, options: GetOptions = {}): Promise<(SelectedItem | null)[]> {
    return this.#track(async () => itemsOf(this.#catalogue.current(), ids, options));
  }

  /**
   * The plan of a request before it runs: strategy, clusters, bytes, memory. With an `id`, why that item is in its list or is not: its score,
   * every test of the filter, what keeps it out.
   */
  explain(request: RetrieveRequest): Promise<RetrievalPlan>;
  explain(request: RetrieveRequest, options: { id: ItemId }): Promise<ItemExplanation>;
  explain(request: RetrieveRequest, options?: { id: ItemId }): Promise<RetrievalPlan | ItemExplanation> {
    return this.#track(async () => {
      const ask = (some: readonly RetrieveRequest[]) => this.#answerer.all(some, undefined);
      if (options !== undefined) return explainItem(ask, this.#catalogue.current(), request, options);
      const checked = this.#checker.check(request);
      return inTime([checked], explainRequest(checked, this.#device.variant));
    });
  }

  /** Runs requests once in one batch and tells time, rows, bytes and rates of every stage, beside the measured read bandwidth. */
  profile(requests: RetrieveRequest | readonly RetrieveRequest[]): Promise<StageProfile[]> {
    return this.#track(async () => {
      const checked = (Array.isArray(requests) ? requests : [requests]).map((request) => this.#checker.check(request));
      const { main } = this.#catalogue.current();
      const [run] = main.runner.runs(checked);
      const profile = main.use(() => main.runner.profile((run ?? []).map((i) => checked[i] as CheckedRequest)));
      return inTime(checked, profile);
    });
  }

  /**
   * Finds by measurement the lowest recall target with which these queries reach `recall`, against the exhaustive search of the
   * model, and, in a model that reranks, first the fewest candidates; both become the defaults of requests and are saved with the
   * model. A model without a target, published with `probes` or long ago, gets the fewest probes instead.
   *
   * The lists compared are final ones. Half of what `recall` allows to lose is left to each; numbers are found to a sixteenth.
   * `estimated` is what requests expected to find, `recall` what they found, and with `embeddings` `trueRecall` their share of
   * the lists of exhaustive float32 search.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`; `ABORTED` when the signal fires.
   * @example
   * ```ts
   * const { target, candidates, recall } = await model.tune({ queries: { data, shape: [500, 64] }, recall: 0.98, k: 50 });
   * ```
   */
  tune(options: TuneOptions): Promise<TuneResult> {
    return this.#track(async () => {
      const { embeddings, signal } = options;
      const requests = tuneRequests(options, this.#manifest);
      if (embeddings !== undefined) requireEmbeddings(embeddings, this.#catalogue.current());
      const answer = (some: readonly RetrieveRequest[]) => this.#answerer.all(some, signal);
      const bounds = { items: this.items, maxCandidates: this.#limits.maxCandidates };
      const tuned = await tuneModel(answer, this.#manifest, bounds, options);
      keepTuned(this.#manifest, tuned);
      if (embeddings === undefined) return tuned;
      return { ...tuned, trueRecall: (await this.measureRecall(requests, { embeddings, signal })).recall };
    });
  }

  /**
   * Recall of requests against exhaustive search of the embeddings that the model was published from, in float32 and float64:
   * what `tune` cannot know without them, since a model holds int8 rows alone. Requests are by embedding, of a model that does
   * not rerank and has not changed since it was published.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, whatever a request fails with; `ABORTED` when the signal fires.
   * @example
   * ```ts
   * const { recall, worstTenth } = await model.measureRecall(requests, { embeddings: { data, shape: [items, 64] } });
   * ```
   */
  measureRecall(requests: readonly RetrieveRequest[], options: RecallOptions): Promise<MeasuredRecall> {
    return this.#track(async () => {
      const version = this.#catalogue.current();
      const checked = requests.map((request) => this.#checker.check(request));
      const answer = (some: readonly RetrieveRequest[]) => this.#answerer.all(some, options.signal);
      return version.main.use(() => measureRecall(version, requests, checked, answer, options));
    });
  }

  /**
   * Inserts items, or replaces those with the same id as a whole, and shows them when the promise resolves. All or nothing; new
   * attribute fields and values are welcome. An item takes the last place in publish order, which settles equal scores.
   *
   * @throws SilverlodeError before anything changes: `INVALID_ARGUMENT` and `SHAPE_MISMATCH` naming the item, `LIMIT_EXCEEDED`
   * for more than `maxFreshItems` or 2^31 attribute values, `OVERLOADED` where folding lags behind, `IO_ERROR` of the journal.
   * @example
   * ```ts
   * await model.upsert({ ids: ['new'], embeddings: { data: vector, shape: [1, 64] }, attributes: { language: ['en'] } });
   * ```
   */
  upsert(items: UpsertItems): Promise<UpdateResult> {
    return this.apply({ type: 'upsert', ...items });
  }

  /** Removes items at once; ids that no item has are ignored. */
  delete(ids: ItemIds): Promise<UpdateResult> {
    return this.apply({ type: 'delete', ids });
  }

  /**
   * Replaces the given attributes of items and leaves their other ones. The items take the last places in publish order.
   *
   * @throws SilverlodeError as `upsert`, and `INVALID_ARGUMENT` for an id that no item has.
   */
  updateAttributes(ids: ItemIds, attributes: AttributeColumns): Promise<UpdateResult> {
    return this.apply({ type: 'updateAttributes', ids, attributes });
  }

  /** Replaces feature columns of items, in place: nothing else about them changes. */
  updateFeatures(ids: ItemIds, features: FeatureValues): Promise<UpdateResult> {
    return this.apply({ type: 'updateFeatures', ids, features });
  }

  /** Applies an update that is given as data. Updates are shown in the order of the calls. */
  apply(update: Update): Promise<UpdateResult> {
    return this.#track(async () => this.#catalogue.apply(this.#checkUpdate(update)));
  }

  /**
   * Applies the updates of a log that come after the model's own position, until the log ends or `signal` fires. The position
   * is saved with the model, so that loading and following gives the state of an uninterrupted run. An update that is refused
   * would be refused on every replay; `onRefused` hears of it, and the log goes on.
   *
   * @throws SilverlodeError `ABORTED` when the signal fires, `DISPOSED` when the model is disposed, or what kept an update from
   * being applied; no later entry is applied then.
   */
  follow(log: UpdateLog, options: FollowOptions = {}): Promise<void> {
    const apply = (entry: LogEntry, run: LogRun) => {
      const place = { position: entry.position, run };
      try {
        return this.#catalogue.apply(this.#checkUpdate(entry.update), place);
      } catch (error) {
        return this.#catalogue.apply(asError(error), place);
      }
    };
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal ? [options.signal] : [])]);
    return this.#track(() => follow(log, this.freshness().position, { ...options, signal }, apply));
  }

  /**
   * Folds what updates brought into the published part, in the background: requests and updates go on, then the memory of
   * both old parts is freed. Answers keep their recall targets; the order of items is that of a catalogue published from scratch.
   *
   * @throws SilverlodeError `ABORTED` when the signal fires, `INVALID_ARGUMENT` while another one is under way.
   */
  compact(options: { signal?: AbortSignal; onProgress?: (event: ProgressEvent) => void } = {}): Promise<void> {
    return this.#track(async () => this.#catalogue.compact(options));
  }

  /** Keeps a journal from now on, as the option `journal` of `load` does. @throws SilverlodeError as `load`. */
  openJournal(path: string, fsync?: FsyncPolicy): Promise<void> {
    return this.#track(() => this.#catalogue.openJournal(path, fsync));
  }

  /** Gives the journal up, for the next version of the model: from now on updates are refused (`DISPOSED`). */
  closeJournal(): Promise<void> {
    return this.#track(() => this.#catalogue.closeJournal());
  }

  /** Where updates stand: items, memory, version, position. */
  freshness(): Freshness {
    return this.#catalogue.freshness();
  }

  /** No new calls (`DISPOSED`); work in flight finishes, the last one frees the memory. */
  dispose(): void {
    this.#closing.abort(new SilverlodeError('DISPOSED', 'the model was disposed'));
    void this.#catalogue.stop();
    this.#disposed ??= Promise.allSettled(this.#open).then(async () => {
      await this.#catalogue.dispose().finally(() => this.#device.dispose());
    });
    this.#disposed.catch(() => undefined); // `close` tells
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** `dispose()`, and waits for the work in flight. */
  async close(): Promise<void> {
    this.dispose();
    await this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #manifest(): Manifest {
    return this.#catalogue.current().main.manifest;
  }

  #checkUpdate(update: Update): CheckedUpdate {
    return checkUpdateOf(this.#catalogue.current().main, update);
  }

  #requireOpen(): void {
    if (this.#disposed !== undefined) throw new SilverlodeError('DISPOSED', 'the model was disposed');
  }

  #track<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.#requireOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    const promise = work();
    this.#open.add(promise);
    // Of the promise that is handed out nobody has heard yet, so that a rejection which is not handled is told.
    return promise.finally(() => this.#open.delete(promise));
  }
}
