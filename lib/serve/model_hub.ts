// Models by name, each in versions that follow one another under load.
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { requireKnown, SilverlodeError } from '../errors.js';
import type { LoadOptions } from '../retrieval/load_options.js';
import { RetrievalModel } from '../retrieval/model.js';
import { asError } from '../retrieval/results.js';
import type { RetrieveRequest, RetrieveResult } from '../retrieval/types.js';
import type { RunEvent } from './batcher.js';
import { handOver, isUpTo, type JournalPlace, requireNothingLost } from './carry_over.js';
import { startFollowing } from './followed_log.js';
import { type HubEvents, type HubOptions, MODEL_NAME, type ModelFile, type ServeOptions } from './hub_options.js';
import { freshnessOf } from './item_updates.js';
import { RunSlots } from './run_slots.js';
import {
  type OpenModel,
  type ServedCall,
  type ServedModel,
  ServedVersion,
  type VersionInfo,
  type VersionObserver,
  warmUp,
} from './served_model.js';
import { openTracing, type Tracing } from './tracing.js';
import { VersionFile } from './version_file.js';

interface Entry {
  weight: number;
  current: ServedVersion;
  /** Oldest first. */
  versions: ServedVersion[];
}

/**
 * Loaded models by name. A new version is loaded and warmed beside the one that serves, then takes all new requests; those in
 * flight finish on theirs, whose memory is freed after the last of them. A file that cannot be loaded changes nothing.
 *
 * @example
 * ```ts
 * await using hub = new ModelHub({ batching: { maxBatch: 64 } });
 * await hub.load('books', 'books.silverlode');
 * const { ids } = await hub.retrieve('books', { embedding, k: 20 });
 * await hub.load('books', 'books-2.silverlode'); // under load
 * await hub.rollback('books');
 * ```
 */
export class ModelHub extends EventEmitter<HubEvents> {
  readonly #entries = new Map<string, Entry>();
  readonly #slots: RunSlots;
  readonly #open: OpenModel;
  readonly #retiring = new Set<Promise<void>>();
  /** Changes of a name happen one after another. */
  readonly #changes = new Map<string, Promise<unknown>>();
  /** Updates wait while a version hands over to the next one. */
  readonly #gates = new Map<string, Promise<void>>();
  #tracing: Tracing | undefined;
  #closed = false;

  constructor(private readonly options: HubOptions = {}) {
    super();
    requireKnown('hub options', options, [
      'load',
      'batching',
      'slots',
      'history',
      'open',
      'prepare',
      'journal',
      'follow',
    ]);
    this.#slots = new RunSlots(options.slots);
    this.#open = options.open ?? ((path, load) => RetrievalModel.load(path, load));
  }

  /** Names of the models, in the order of their first loading. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The version that serves a name; undefined when there is none. */
  current(name: string): ServedVersion | undefined {
    return this.#entries.get(name)?.current;
  }

  /**
   * How busy the hub is, 0 to 1: the share of the last seconds in which a native run was in flight or, where that is more, the
   * share of their deadlines that requests spent waiting. Near 1 another process is needed.
   */
  get utilization(): number {
    return this.#slots.load.utilization;
  }

  /** Versions of a name, oldest first; empty for an unknown name. */
  versions(name: string): VersionInfo[] {
    return this.#entries.get(name)?.versions.map(({ info }) => ({ ...info })) ?? [];
  }

  /**
   * Loads a file and serves it under a name, in place of what served before.
   *
   * @returns The version that serves now; memory of the one before is freed when its last request is answered.
   * @throws SilverlodeError what `RetrievalModel.load` throws, `INVALID_ARGUMENT` for a bad name, `DISPOSED`; what served
   * before still does then.
   */
  load(name: string, path: string, options: ServeOptions = {}): Promise<VersionInfo> {
    return this.#loadFile(name, path, options, async () => true);
  }

  #loadFile(name: string, path: string, options: ServeOptions, isNews: () => Promise<boolean>): Promise<VersionInfo> {
    return this.#change(name, async () => {
      if (!(await isNews())) return { ...this.#served(name).info };
      try {
        const { model, file } = await this.#openFile(path);
        return await this.#take(name, model, file, options);
      } catch (error) {
        const failed = asError(error);
        this.emit('refused', { name, path, label: options.label }, failed);
        throw failed;
      }
    });
  }

  /**
   * Serves a model that is loaded already. The hub closes it.
   *
   * @throws SilverlodeError `INVALID_ARGUMENT` for a bad name, `DISPOSED`.
   */
  add(name: string, model: ServedModel, options: ServeOptions = {}): Promise<VersionInfo> {
    return this.#change(name, () => this.#take(name, model, undefined, options));
  }

  /**
   * Serves an earlier version again, from its file, also when another one was renamed to its place: the disk keeps it for as long
   * as the version is listed. Updates go over to it as to any other version.
   *
   * @param version Default: the latest one before the served one.
   * @throws SilverlodeError `INVALID_ARGUMENT` when there is no such version, its file was rewritten in place, or updates would be
   * lost; what `load` throws.
   */
  rollback(
    name: string,
    version?: number,
    { discardUpdates }: Pick<ServeOptions, 'discardUpdates'> = {},
  ): Promise<VersionInfo> {
    return this.#change(name, async () => {
      const entry = this.#entries.get(name);
      const before = entry?.versions.filter(({ info }) => info.version !== entry.current.info.version) ?? [];
      const wanted =
        version === undefined
          ? before.findLast(({ info }) => info.version < (entry?.current.info.version ?? 0))
          : before.find(({ info }) => info.version === version);
      if (entry === undefined || wanted === undefined) throw noVersion(name, version);
      const { file, info } = wanted;
      const path = await file?.currentPath();
      if (file === undefined || path === undefined) throw replaced(info);
      const model = await this.#open(path, this.#loadOptions);
      return this.#take(name, model, file, { label: info.label, discardUpdates }, info.version);
    });
  }

  /**
   * Changes items of the version that serves a name; waits while it hands over to the next one.
   *
   * @param kind What metrics call it.
   * @throws SilverlodeError `INVALID_ARGUMENT` for an unknown name; what `work` throws.
   */
  async change<T>(name: string, kind: string, work: (version: ServedVersion) => Promise<T>): Promise<T> {
    for (let gate = this.#gates.get(name); gate; gate = this.#gates.get(name)) await gate;
    const version = this.#served(name);
    return version.change(kind, () => work(version));
  }

  /**
   * Writes the file of the version that serves a name anew, with all updates.
   *
   * @param options `trimJournal`: drops what the file then holds; earlier versions are out of reach after that.
   * @throws SilverlodeError `INVALID_ARGUMENT` for an unknown name and a version without a file; what saving throws.
   */
  save(name: string, options: { trimJournal?: boolean } = {}): Promise<VersionInfo> {
    return this.#change(name, async () => {
      const version = this.#served(name);
      await version.save(options);
      return { ...version.info };
    });
  }

  /** Answers one request of the version that serves the name. @throws SilverlodeError `INVALID_ARGUMENT` for an unknown name. */
  async retrieve(name: string, request: RetrieveRequest, call: ServedCall = {}): Promise<RetrieveResult> {
    return this.#served(name).retrieve(request, call);
  }

  /** Stops serving a name; settles when its requests are answered and its memory is freed. */
  unload(name: string): Promise<void> {
    return this.#change(name, async () => {
      const entry = this.#entries.get(name);
      this.#entries.delete(name);
      if (entry) await this.#retire(entry.current);
      await closeFiles(entry?.versions ?? []);
    });
  }

  /**
   * Loads every file that a source finds, until the source ends. Files that are refused are told by the event `refused`.
   *
   * @param source Such as `watchDirectory()` or `watchObjectStore()`.
   */
  async watch(source: AsyncIterable<ModelFile>): Promise<void> {
    for await (const { name, path, label } of source) {
      if (this.#closed) return;
      const served = () => this.current(name)?.file; // a file that was saved from here is found too
      const isNews = async () => served()?.path !== path || !(await served()?.isInPlace());
      await this.#loadFile(name, path, { label }, isNews).catch(() => undefined); // told by the event
    }
  }

  /** No new requests; settles when those accepted are answered and all memory is freed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#changes.values());
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all([...entries.map(({ current }) => this.#retire(current)), ...this.#retiring]);
    await Promise.all(entries.map(({ versions }) => closeFiles(versions)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #served(name: string): ServedVersion {
    const version = this.current(name);
    if (version) return version;
    throw new SilverlodeError('INVALID_ARGUMENT', `no model is called '${name}'`, { model: name });
  }

  #change<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new SilverlodeError('DISPOSED', 'the hub was closed'));
    if (!MODEL_NAME.test(name))
      return Promise.reject(
        new SilverlodeError('INVALID_ARGUMENT', 'a model name has letters, digits, _ . - and no leading dot', { name }),
      );
    const turn = (this.#changes.get(name) ?? Promise.resolve()).then(work, work);
    this.#changes.set(name, turn);
    // As for a model: of the promise that is handed out nobody has heard yet.
    return turn.finally(() => {
      if (this.#changes.get(name) === turn) this.#changes.delete(name);
    });
  }

  get #loadOptions(): LoadOptions {
    return { maxBatch: this.options.batching?.maxBatch, ...this.options.load };
  }

  /** The file may be replaced while it is read; then it is read again. */
  async #openFile(path: string): Promise<{ model: ServedModel; file: VersionFile }> {
    for (;;) {
      const file = await VersionFile.open(path);
      try {
        const model = await this.#open(path, this.#loadOptions);
        if (await file.isInPlace()) return { model, file };
        await model.close();
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
    }
  }

  /** Warms a model and lets it serve, with all updates that the version before has taken. */
  async #take(
    name: string,
    model: ServedModel,
    file: VersionFile | undefined,
    options: ServeOptions,
    earlier?: number,
  ): Promise<VersionInfo> {
    const entry = this.#entries.get(name);
    let open = (): void => undefined;
    let giveBack = async (): Promise<void> => undefined;
    try {
      await this.options.prepare?.(name, model);
      this.#gates.set(
        name,
        new Promise((resolve) => {
          open = resolve;
        }),
      );
      await entry?.current.whenUnchanging();
      const journal = this.#journalOf(name);
      if (journal) giveBack = await handOver(entry?.current, model, journal);
      await this.#follow(name, model, entry?.current);
      if (entry && !journal && !options.discardUpdates) requireNothingLost(entry.current, model, file?.identity);
      await warmUp(model, entry?.current.samples ?? []);
      this.#tracing ??= await openTracing();
      return this.#serve(name, model, file, options, earlier);
    } catch (error) {
      await giveBack();
      await model.close();
      if (earlier === undefined) await file?.close();
      throw error;
    } finally {
      this.#gates.delete(name);
      open();
    }
  }

  /** From now on new requests go to this model. */
  #serve(
    name: string,
    model: ServedModel,
    file: VersionFile | undefined,
    options: ServeOptions,
    earlier: number | undefined,
  ): VersionInfo {
    const entry = this.#entries.get(name);
    const weight = options.weight ?? entry?.weight ?? 1;
    const last = entry?.versions.reduce((most, { info }) => Math.max(most, info.version), 0) ?? 0;
    const batching = {
      ...this.options.batching,
      slots: this.#slots,
      weight,
      onRun: (event: RunEvent) => this.emit('run', name, event),
    };
    const number = earlier ?? last + 1;
    const observer = this.#observer(name);
    const version = new ServedVersion(name, number, model, file, options.label, batching, observer, this.#tracing);
    const kept = entry?.versions.filter(({ info }) => info.version !== version.info.version) ?? [];
    const versions = [...kept, version].sort((a, b) => a.info.version - b.info.version);
    while (versions.length > (this.options.history ?? 16)) {
      const oldest = versions.findIndex((each) => each !== version);
      if (oldest < 0) break;
      void closeFiles(versions.splice(oldest, 1));
    }
    this.#entries.set(name, { weight, current: version, versions });
    if (entry) void this.#retire(entry.current);
    this.emit('version', { ...version.info });
    return { ...version.info };
  }

  #journalOf(name: string): JournalPlace | undefined {
    const { journal } = this.options;
    return journal && { path: join(journal.folder, `${name}.journal`), fsync: journal.fsync };
  }

  /** What a version follows is not to be behind the one before. */
  async #follow(name: string, model: ServedModel, before: ServedVersion | undefined): Promise<void> {
    const given = await this.options.follow?.(name, model.describe());
    if (given === undefined) return;
    const { log, isReached = () => true } = given;
    const isFar = (own: unknown) => isReached(own) && isUpTo(own, freshnessOf(before?.model)?.position);
    await startFollowing(model, { log, isReached: isFar }, (error) => {
      if (this.current(name)?.model !== model) return; // another version follows it now
      this.emit('unfollowed', name, asError(error ?? new Error('the log has ended')));
    });
  }

  #observer(name: string): VersionObserver {
    const { load } = this.#slots;
    return {
      answered: ({ deadlineMs }, times, { stats }) => {
        if (deadlineMs !== undefined) load.waited(times.queue / deadlineMs);
        this.emit('answered', name, times, stats);
      },
      failed: (error) => {
        const failed = asError(error);
        if (failed.code === 'DEADLINE') load.waited(1);
        this.emit('failed', name, failed);
      },
      changed: (kind, milliseconds) => this.emit('changed', name, kind, milliseconds),
    };
  }

  #retire(version: ServedVersion): Promise<void> {
    const retiring = version.retire().finally(() => this.#retiring.delete(retiring));
    this.#retiring.add(retiring);
    return retiring;
  }
}

async function closeFiles(versions: readonly ServedVersion[]): Promise<void> {
  await Promise.all(versions.map(({ file }) => file?.close()));
}

function noVersion(name: string, version: number | undefined): SilverlodeError {
  const which = version === undefined ? 'earlier version' : `other version ${version}`;
  return new SilverlodeError('INVALID_ARGUMENT', `'${name}' has no ${which}`, { model: name, version });
}

function replaced({ name, version, path }: VersionInfo): SilverlodeError {
  const reason = path === undefined ? 'it has no file' : 'its file has been rewritten since';
  return new SilverlodeError('INVALID_ARGUMENT', `'${name}' cannot go back to version ${version}: ${reason}`, {
    model: name,
    version,
    path,
  });
}
