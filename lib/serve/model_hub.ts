// Models by name, each in versions that follow one another under load.
import { EventEmitter } from 'node:events';
import { stat } from 'node:fs/promises';
import { requireKnown, SilverlodeError } from '../errors.js';
import type { LoadOptions } from '../retrieval/load_options.js';
import { RetrievalModel } from '../retrieval/model.js';
import { asError } from '../retrieval/results.js';
import type { RetrieveRequest, RetrieveResult, RetrieveStats } from '../retrieval/types.js';
import type { BatcherOptions, RunEvent } from './batcher.js';
import { RunSlots } from './run_slots.js';
import {
  type OpenModel,
  type RequestTimes,
  type ServedCall,
  type ServedModel,
  ServedVersion,
  type VersionFile,
  type VersionInfo,
  type VersionObserver,
  warmUp,
} from './served_model.js';
import { openTracing, type Tracing } from './tracing.js';

/** Options of {@link ModelHub}. */
export interface HubOptions {
  /**
   * How model files are loaded. No `journal`: the version that serves would keep it from the next one; replay a log in `prepare`
   * instead.
   */
  load?: Omit<LoadOptions, 'journal' | 'fsync'>;
  /** How requests are batched, per model. */
  batching?: Pick<BatcherOptions, 'maxBatch' | 'maxDelayMicroseconds' | 'maxQueue'>;
  /** Native runs in flight at once, all models together; default 2. */
  slots?: number;
  /** Versions listed per model, the served one included; default 16. */
  history?: number;
  /** Default `RetrievalModel.load`. */
  open?: OpenModel;
  /**
   * Called with every model before it is warmed and serves, such as to replay a log of updates up to its end. The version is
   * refused when it rejects.
   */
  prepare?: (name: string, model: ServedModel) => Promise<void>;
}

/** How one name is served. */
export interface ServeOptions {
  /** Share of run time among the hub's models; default that of the version before, else 1. */
  weight?: number;
  /** What the version is called in lists. */
  label?: string;
}

/** A model file that a source has found. */
export interface ModelFile {
  name: string;
  path: string;
  label?: string;
}

/** Events of {@link ModelHub}. */
export interface HubEvents {
  /** A version serves from now on. */
  version: [info: VersionInfo];
  /** A file was not taken; what was served before still is. */
  refused: [file: ModelFile, error: SilverlodeError];
  /** A native run ended. */
  run: [name: string, event: RunEvent];
  /** A request was answered. */
  answered: [name: string, times: RequestTimes, stats: RetrieveStats];
  /** A request was refused or has failed. */
  failed: [name: string, error: SilverlodeError];
  /** Items were changed; milliseconds until every later request sees it. */
  changed: [name: string, kind: string, milliseconds: number];
}

interface Entry {
  weight: number;
  current: ServedVersion;
  /** Oldest first. */
  versions: ServedVersion[];
}

/** What a model may be called: no separators, no leading dot, so that a name is never a path. */
export const MODEL_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

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
  #tracing: Tracing | undefined;
  #closed = false;

  constructor(private readonly options: HubOptions = {}) {
    super();
    requireKnown('hub options', options, ['load', 'batching', 'slots', 'history', 'open', 'prepare']);
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
    return this.#change(name, async () => {
      try {
        const { model, identity } = await this.#openFile(path);
        return await this.#take(name, model, { path, identity }, options);
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
   * Serves an earlier version again, from its file.
   *
   * @param version Default: the latest one before the served one.
   * @throws SilverlodeError `INVALID_ARGUMENT` when there is no such version, or its file was replaced since; what `load` throws.
   */
  rollback(name: string, version?: number): Promise<VersionInfo> {
    return this.#change(name, async () => {
      const entry = this.#entries.get(name);
      const before = entry?.versions.filter(({ info }) => info.version !== entry.current.info.version) ?? [];
      const wanted =
        version === undefined
          ? before.findLast(({ info }) => info.version < (entry?.current.info.version ?? 0))
          : before.find(({ info }) => info.version === version);
      if (entry === undefined || wanted === undefined) throw noVersion(name, version);
      const { file, info } = wanted;
      if (file === undefined || (await fileIdentity(file.path)) !== file.identity) throw replaced(info);
      const { model, identity } = await this.#openFile(file.path);
      if (identity !== file.identity) {
        await model.close();
        throw replaced(info);
      }
      return this.#take(name, model, file, { label: info.label }, info.version);
    });
  }

  /** Answers one request of the version that serves the name. @throws SilverlodeError `INVALID_ARGUMENT` for an unknown name. */
  async retrieve(name: string, request: RetrieveRequest, call: ServedCall = {}): Promise<RetrieveResult> {
    const version = this.current(name);
    if (version === undefined)
      throw new SilverlodeError('INVALID_ARGUMENT', `no model is called '${name}'`, { model: name });
    return version.retrieve(request, call);
  }

  /** Stops serving a name; settles when its requests are answered and its memory is freed. */
  unload(name: string): Promise<void> {
    return this.#change(name, async () => {
      const entry = this.#entries.get(name);
      this.#entries.delete(name);
      if (entry) await this.#retire(entry.current);
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
      await this.load(name, path, { label }).catch(() => undefined); // told by the event
    }
  }

  /** No new requests; settles when those accepted are answered and all memory is freed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#changes.values());
    const served = [...this.#entries.values()].map(({ current }) => current);
    this.#entries.clear();
    await Promise.all([...served.map((version) => this.#retire(version)), ...this.#retiring]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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

  /** The file may be replaced while it is read; then it is read again. */
  async #openFile(path: string): Promise<{ model: ServedModel; identity: string }> {
    for (;;) {
      const identity = await fileIdentity(path);
      const model = await this.#open(path, { maxBatch: this.options.batching?.maxBatch, ...this.options.load });
      if (identity === (await fileIdentity(path))) return { model, identity };
      await model.close();
    }
  }

  /** Warms a model and lets it serve. */
  async #take(
    name: string,
    model: ServedModel,
    file: VersionFile | undefined,
    options: ServeOptions,
    earlier?: number,
  ): Promise<VersionInfo> {
    const entry = this.#entries.get(name);
    try {
      await this.options.prepare?.(name, model);
      await warmUp(model, entry?.current.samples ?? []);
    } catch (error) {
      await model.close();
      throw error;
    }
    this.#tracing ??= await openTracing();
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
      versions.splice(oldest, 1);
    }
    this.#entries.set(name, { weight, current: version, versions });
    if (entry) void this.#retire(entry.current);
    this.emit('version', { ...version.info });
    return { ...version.info };
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

/** Changes when a file is replaced or rewritten. @throws SilverlodeError `IO_ERROR`. */
async function fileIdentity(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    throw new SilverlodeError('IO_ERROR', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}

function noVersion(name: string, version: number | undefined): SilverlodeError {
  const which = version === undefined ? 'earlier version' : `other version ${version}`;
  return new SilverlodeError('INVALID_ARGUMENT', `'${name}' has no ${which}`, { model: name, version });
}

function replaced({ name, version, path }: VersionInfo): SilverlodeError {
  const reason = path === undefined ? 'it has no file' : 'its file has been replaced since';
  return new SilverlodeError('INVALID_ARGUMENT', `'${name}' cannot go back to version ${version}: ${reason}`, {
    model: name,
    version,
    path,
  });
}
