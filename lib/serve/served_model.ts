// One version of a model while it is served.
import { SilverlodeError } from '../errors.js';
import type { ModelDescription } from '../retrieval/describe.js';
import type { UpdateLog } from '../retrieval/fresh/follow.js';
import type { FsyncPolicy } from '../retrieval/fresh/journal.js';
import type { GetOptions, SelectedItem } from '../retrieval/give/items.js';
import type { LoadOptions } from '../retrieval/load_options.js';
import type { StageProfile } from '../retrieval/stage_profile.js';
import type { ItemId, RetrieveRequest, RetrieveResult } from '../retrieval/types.js';
import { type BatchedCall, Batcher, type BatcherOptions } from './batcher.js';
import { freshnessOf } from './item_updates.js';
import { NO_TRACING, type TraceCarrier, type Tracing } from './tracing.js';
import { VersionFile } from './version_file.js';

/** What serving reads of `describe()`. */
export type ModelFacts = Pick<
  ModelDescription,
  'bytes' | 'heads' | 'ids' | 'tasks' | 'weights' | 'tower' | 'candidates' | 'columns'
> & { readonly fields: readonly Pick<ModelDescription['fields'][number], 'name' | 'type' | 'multi'>[] };

/** What serving needs of a model; `RetrievalModel` has it. */
export interface ServedModel {
  readonly items: number;
  readonly dims: number;
  describe(): ModelFacts;
  retrieve(
    requests: readonly RetrieveRequest[],
    options?: { signal?: AbortSignal },
  ): Promise<(RetrieveResult | SilverlodeError)[]>;
  profile(requests: readonly RetrieveRequest[]): Promise<StageProfile[]>;
  /** What only models have whose items can be looked up. */
  get?(ids: readonly ItemId[], options?: GetOptions): Promise<(SelectedItem | null)[]>;
  close(): Promise<void>;
  /** What only models have that take updates. */
  follow?(log: UpdateLog): Promise<void>;
  compact?(): Promise<void>;
  save?(path: string, options?: { trimJournal?: boolean }): Promise<void>;
  openJournal?(path: string, fsync?: FsyncPolicy): Promise<void>;
  closeJournal?(): Promise<void>;
}

/** How models are opened; `RetrievalModel.load` is one. */
export type OpenModel = (path: string, options: LoadOptions) => Promise<ServedModel>;

/** A version as it is listed. */
export interface VersionInfo {
  name: string;
  /** 1, 2, … per name, in order of loading. */
  version: number;
  /** The file; undefined for a model that was handed over. */
  path: string | undefined;
  /** What the source calls this version. */
  label: string | undefined;
  /** `draining`: requests in flight finish; `retired`: its memory is freed. */
  state: 'serving' | 'draining' | 'retired';
  items: number;
  dims: number;
  /** Bytes of its tensors. */
  bytes: number;
  /** ISO 8601. */
  loadedAt: string;
}

/** Options of one call of `retrieve`. */
export interface ServedCall extends BatchedCall {
  /** Where the caller's trace is found, such as the headers of its request. */
  trace?: TraceCarrier;
}

/** Milliseconds of one answered request. */
export interface RequestTimes {
  /** From the call to the start of its run. */
  queue: number;
  /** Its run. */
  run: number;
  /** Requests in that run. */
  batch: number;
}

/** Hears of all that a version does. */
export interface VersionObserver {
  answered(request: RetrieveRequest, times: RequestTimes, result: RetrieveResult): void;
  failed(error: unknown): void;
  /** Items were changed; milliseconds until every later request sees it. */
  changed(kind: string, milliseconds: number): void;
}

/** Recent requests kept to warm the next version with. */
const SAMPLES = 8;

/** A loaded model, its batcher, and what is told about it. */
export class ServedVersion {
  readonly info: VersionInfo;
  readonly facts: ModelFacts;
  readonly batcher: Batcher;
  #samples: RetrieveRequest[] = [];
  #next = 0;
  #file: VersionFile | undefined;
  readonly #changing = new Set<Promise<unknown>>();
  /** Of the updates that are in no journal, how many its file holds. */
  #saved = 0;

  constructor(
    name: string,
    version: number,
    readonly model: ServedModel,
    file: VersionFile | undefined,
    label: string | undefined,
    batching: BatcherOptions,
    private readonly observer?: VersionObserver,
    private readonly tracing: Tracing = NO_TRACING,
  ) {
    this.batcher = new Batcher(model, batching);
    this.#file = file;
    this.facts = model.describe();
    this.info = {
      name,
      version,
      path: file?.path,
      label,
      state: 'serving',
      items: model.items,
      dims: model.dims,
      bytes: this.facts.bytes,
      loadedAt: new Date().toISOString(),
    };
  }

  /** Where it came from, or was saved to; undefined for a model that was handed over. */
  get file(): VersionFile | undefined {
    return this.#file;
  }

  /** Whether a file is that of this version and holds all of its updates. */
  isSaved(identity: string | undefined): boolean {
    return identity === this.#file?.identity && freshnessOf(this.model)?.localUpdates === this.#saved;
  }

  /**
   * Writes its file anew, with all updates.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for a version without a file; what saving throws.
   */
  async save(options: { trimJournal?: boolean } = {}): Promise<void> {
    const { name } = this.info;
    if (this.#file === undefined || this.model.save === undefined)
      throw new SilverlodeError('INVALID_ARGUMENT', `'${name}' has no file to save it to`, { model: name });
    const { path } = this.#file;
    const before = freshnessOf(this.model)?.localUpdates ?? 0;
    await this.model.save(path, options);
    const replaced = this.#file;
    this.#file = await VersionFile.open(path);
    this.#saved = before;
    await replaced.close();
  }

  /** Requests seen lately. */
  get samples(): readonly RetrieveRequest[] {
    return this.#samples;
  }

  /** The request that was answered last. */
  get latestSample(): RetrieveRequest | undefined {
    return this.#samples[(this.#next - 1) % SAMPLES];
  }

  async retrieve(request: RetrieveRequest, call: ServedCall = {}): Promise<RetrieveResult> {
    return (await this.answer(request, call)).result;
  }

  /** Answers one request, and tells what it took. */
  answer(
    request: RetrieveRequest,
    { signal, onStart, trace }: ServedCall = {},
  ): Promise<{ result: RetrieveResult; times: RequestTimes }> {
    return this.tracing.span(this.info, trace, async (span) => {
      const asked = performance.now();
      const times: RequestTimes = { queue: 0, run: 0, batch: 0 };
      const whenStarted = (waited: number, batch: number) => {
        times.queue = waited;
        times.batch = batch;
        span.started(waited, batch);
        onStart?.(waited, batch);
      };
      try {
        const result = await this.batcher.retrieve(request, { signal, onStart: whenStarted });
        times.run = performance.now() - asked - times.queue;
        this.#keep(request);
        span.answered(result);
        this.observer?.answered(request, times, result);
        return { result, times };
      } catch (error) {
        this.observer?.failed(error);
        throw error;
      }
    });
  }

  /** Changes items of the model. @param work Settles when every later request sees it. */
  async change<T>(kind: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const changing = work();
    this.#changing.add(changing);
    const result = await changing.finally(() => this.#changing.delete(changing));
    this.observer?.changed(kind, performance.now() - started);
    return result;
  }

  /** Settles when changes that have begun are over. */
  async whenUnchanging(): Promise<void> {
    await Promise.allSettled(this.#changing);
  }

  #keep({ deadlineMs: _, ...sample }: RetrieveRequest): void {
    this.#samples[this.#next++ % SAMPLES] = sample;
  }

  /** Answers what was accepted, then frees the memory. */
  async retire(): Promise<void> {
    this.info.state = 'draining';
    await this.batcher.close();
    await this.model.close();
    this.#samples = [];
    this.info.state = 'retired';
  }
}

/** Batches that a new version answers before it serves: programs are prepared and memory is touched. */
const WARM_BATCHES = [1, 8];

/**
 * Runs a model before it serves: on requests that were seen lately, else on a zero embedding.
 *
 * @throws SilverlodeError when a run fails; a single request that does not suit the model is no failure.
 */
export async function warmUp(model: ServedModel, samples: readonly RetrieveRequest[]): Promise<void> {
  const heads = model.describe().heads ?? 1;
  const zero = Array.from({ length: heads }, () => new Float32Array(model.dims));
  const requests: readonly RetrieveRequest[] = samples.length > 0 ? samples : [{ embedding: zero }];
  for (const size of WARM_BATCHES)
    await model.retrieve(Array.from({ length: size }, (_, i) => requests[i % requests.length] as RetrieveRequest));
}
