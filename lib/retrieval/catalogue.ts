// The items of a model as they change: one current version, updates in order, folding in the background.
import { requireKnown, SilverlodeError } from '../errors.js';
import { Progress, Turns } from '../index/progress.js';
import type { NativeDevice } from '../native/addon.js';
import { onDevice, onOwnDevice, openDevice } from '../native/device.js';
import { type Capture, capture, releaseCapture } from './fresh/capture.js';
import { FoldSchedule, type Unfolded } from './fresh/compaction.js';
import { Editor } from './fresh/editor.js';
import { type FoldOptions, fold } from './fresh/fold.js';
import { type CompactionState, Folding } from './fresh/folding.js';
import { isRefusal, type LogRun } from './fresh/follow.js';
import { type FsyncPolicy, Journal } from './fresh/journal.js';
import type { JournalEntry } from './fresh/journal_record.js';
import type { SavedItems } from './fresh/saved.js';
import type { CheckedUpdate } from './fresh/updates.js';
import type { LoadLimits } from './load_options.js';
import { MainSegment } from './main_segment.js';
import { Version } from './version.js';

/** What an update did. */
export interface UpdateResult {
  /** Items that it changed. */
  items: number;
  /** The first version that shows it. */
  version: number;
  /** Whether it is in a journal that was flushed to the disk, so that no crash can lose it. */
  durable: boolean;
}

/** Where a catalogue stands. */
export interface Freshness {
  /** Grows with every change; requests that begin later see at least this one. */
  version: number;
  /** Live items in all. */
  items: number;
  /** Live items of the fresh segment, and how many it may hold. */
  freshItems: number;
  maxFreshItems: number;
  /** Memory of the fresh segment: as it grows and as it is searched. */
  freshBytes: number;
  /** Rows of the main segment whose items were deleted or replaced. */
  deletedRows: number;
  compacting: boolean;
  compaction: CompactionState;
  /** Position of the last update from a log, as that gave it. */
  position: unknown;
  /** Updates since it was loaded that came from neither a log nor a journal. */
  localUpdates: number;
  /** Number of the last journal record, and bytes of the journal's files; undefined without a journal. */
  journal: number | undefined;
  journalBytes: number | undefined;
}

/** Where an update comes from, when it comes from a log. */
export interface LogPlace {
  readonly position: unknown;
  readonly run: LogRun;
}

interface Entry {
  /** Or why there is none. */
  readonly update: CheckedUpdate | SilverlodeError;
  readonly place: LogPlace | undefined;
  /** When it came, by `performance.now()`. */
  readonly since: number;
  readonly resolve: (result: UpdateResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Updates shown in one version; more wait for the next. */
const MAX_BATCH = 256;

export class Catalogue {
  #editor: Editor;
  #position: unknown;
  #journal: Journal | undefined;
  #isDurable = false;
  /** Number of the last record of a journal that was given up. */
  #journaled: number | undefined;
  #localUpdates = 0;
  #device: NativeDevice | undefined;
  /** Work on the catalogue itself, one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #queue: Entry[] = [];
  /** Until the queue is empty. */
  #draining: Promise<void> | undefined;
  readonly #schedule: FoldSchedule | undefined;
  readonly #folding: Folding;
  /** Updates since the version that is being folded. */
  #recorded: CheckedUpdate[] | undefined;

  constructor(
    main: MainSegment,
    private readonly limits: LoadLimits,
  ) {
    const { maxFreshItems, compaction } = limits;
    this.#editor = new Editor(new Version(1, main, main.liveItems), maxFreshItems);
    this.#position = main.manifest.updates?.position;
    this.#folding = new Folding(compaction !== undefined, (options) => this.#fold(options));
    if (compaction)
      this.#schedule = new FoldSchedule(compaction, this.#unfolded, (reason) => this.#folding.begin(reason));
  }

  readonly current = (): Version => this.#editor.version;

  freshness(): Freshness {
    const { number, items, mainItems, main, fresh } = this.current();
    return {
      version: number,
      items,
      freshItems: fresh?.items ?? 0,
      maxFreshItems: this.limits.maxFreshItems,
      freshBytes: fresh ? this.#editor.bytes : 0,
      deletedRows: main.ids.length - mainItems,
      compacting: this.#folding.state.running !== undefined,
      compaction: this.#folding.state,
      position: this.#position,
      localUpdates: this.#localUpdates,
      journal: this.#journal?.sequence,
      journalBytes: this.#journal?.bytes,
    };
  }

  /** Puts the items of a model file in place, before any update. */
  restore({ items, fields }: SavedItems): Promise<void> {
    return this.#exclusive(async () => {
      await this.#editor.restore(items, fields);
      await this.#editor.show(this.#editor.build());
      this.#schedule?.changed();
    });
  }

  /** Applies what a journal holds beyond the model; from then on updates are in it before they are shown. */
  async openJournal(path: string, fsync: FsyncPolicy = 'always'): Promise<void> {
    if (this.#journal) throw new SilverlodeError('INVALID_ARGUMENT', 'the model has a journal already');
    const after = this.#journaled ?? this.current().main.manifest.updates?.journal ?? 0;
    const run = { failed: false };
    this.#journal = await Journal.open(path, after, fsync, (records) =>
      Promise.all(records.map(({ update, position }) => this.#enqueue(update, { position, run }))),
    );
    this.#journaled = undefined;
    this.#isDurable = fsync === 'always';
  }

  /** Gives the journal up for another model, behind all updates so far; later ones are refused until it is opened again. */
  async closeJournal(): Promise<void> {
    while (this.#draining) await this.#draining;
    await this.#exclusive(async () => {
      const journal = this.#journal;
      if (journal === undefined) return;
      this.#journaled = journal.sequence;
      this.#journal = undefined;
      await journal.close();
    });
  }

  /**
   * Shown when the promise resolves. Updates are applied in the order of the calls, several of them in one version.
   *
   * @param update A refused one of a log moves the position all the same.
   */
  async apply(update: CheckedUpdate | SilverlodeError, place?: LogPlace): Promise<UpdateResult> {
    if (this.#journaled !== undefined)
      throw new SilverlodeError('DISPOSED', 'another version of the model takes updates from now on');
    return this.#enqueue(update, place);
  }

  #enqueue(update: CheckedUpdate | SilverlodeError, place: LogPlace | undefined): Promise<UpdateResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ update, place, since: performance.now(), resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** The current version held still, with its place in log and journal. */
  capture(): Promise<{ captured: Capture; position: unknown; journal: number | undefined }> {
    return this.#exclusive(async () => ({
      captured: await capture(this.#editor),
      position: this.#position,
      journal: this.#journal?.sequence ?? this.current().main.manifest.updates?.journal,
    }));
  }

  /** Folds all items into one main segment while requests and updates go on; takes the place of a folding that began by itself. */
  compact(options: FoldOptions): Promise<void> {
    requireKnown('compact options', options, ['signal', 'onProgress']);
    return this.#folding.ask(options).finally(() => this.#schedule?.changed());
  }

  /** Nothing begins by itself from now on. */
  stop(): Promise<void> {
    this.#schedule?.stop();
    return this.#folding.stop();
  }

  trimJournal(upTo: number | undefined): Promise<void> {
    return this.#exclusive(async () => {
      if (upTo !== undefined) await this.#journal?.trim(upTo);
    });
  }

  /** Called once, when nothing that was asked for is under way. */
  async dispose(): Promise<void> {
    await this.stop();
    const { main, fresh } = this.current();
    main.release();
    for (const tensor of fresh?.tensors.values() ?? []) tensor.dispose();
    this.#device?.dispose();
    await this.#journal?.close();
  }

  /** A device of its own, so that updates do not wait for requests, nor requests for them. */
  get #own(): NativeDevice {
    this.#device ??= openDevice({ device: 'cpu', threads: 1 });
    return this.#device;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => onDevice(this.#own, work));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Batches, and between them whoever waits: a queue that is never empty must not keep saving and folding out. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      if (!(await this.#exclusive(() => this.#commitSome()))) await this.#schedule?.room();
    }
    this.#draining = undefined;
  }

  /** @returns Whether the first of the queue need not wait for room. */
  async #commitSome(): Promise<boolean> {
    const batch = this.#queue.slice(0, MAX_BATCH);
    const done = await this.#commit(batch).catch((error: unknown) => {
      for (const entry of batch) fail(entry, error);
      return batch.length;
    });
    this.#queue.splice(0, done);
    return done === batch.length;
  }

  /**
   * Each update succeeds or fails as a whole; those that are fine become visible together.
   *
   * @returns How many are done: one that waits for room keeps those behind it waiting.
   */
  async #commit(batch: readonly Entry[]): Promise<number> {
    const records: JournalEntry[] = [];
    const staged: { entry: Entry; items: number }[] = [];
    const refused: Entry[] = [];
    let position = this.#position;
    let done = batch.length;
    const turns = new Turns(); // small updates are staged without one
    for (const [at, entry] of batch.entries()) {
      await turns.rest();
      try {
        if (entry.place?.run.failed)
          throw new SilverlodeError('ABORTED', 'an earlier update of the log was not applied');
        if (entry.update instanceof SilverlodeError) throw entry.update;
        staged.push({ entry, items: await this.#editor.stage(entry.update) });
        records.push({ update: entry.update, position: entry.place?.position });
      } catch (error) {
        if (!isTurnedDown(error)) {
          this.#editor.discard();
          throw error;
        }
        if (this.#waits(entry, error)) {
          done = at;
          break;
        }
        if (!isRefusal(error)) {
          fail(entry, this.#schedule && isLackOfRoom(error) ? this.#noRoom(error) : error);
          continue;
        }
        refused.push({ ...entry, update: error });
      }
      position = entry.place?.position ?? position;
    }
    if (records.length > 0) await this.#show(records);
    this.#position = position;
    for (const entry of refused) entry.reject(entry.update);
    const version = this.current().number;
    this.#localUpdates += staged.filter(({ entry }) => entry.place === undefined).length;
    for (const { entry, items } of staged) entry.resolve({ items, version, durable: this.#isDurable });
    if (await this.#editor.repack()) await this.#editor.show(this.#editor.build());
    if (records.length > 0) this.#schedule?.changed();
    return done;
  }

  /** Whether an update waits until folding has made room for it. */
  #waits(entry: Entry, error: unknown): boolean {
    if (!this.#schedule || !isLackOfRoom(error)) return false;
    return this.#schedule.mayWait(entry.place ? performance.now() : entry.since); // a log waits as long as it takes
  }

  #noRoom({ message: _, ...details }: SilverlodeError): SilverlodeError {
    if (this.#schedule?.isStopped) return new SilverlodeError('DISPOSED', 'the model was disposed');
    const { maxFreshItems } = this.limits;
    const message = `there is no room for more than ${maxFreshItems} fresh items (maxFreshItems), and folding lags behind`;
    return new SilverlodeError('OVERLOADED', message, details);
  }

  async #show(records: readonly JournalEntry[]): Promise<void> {
    let built: Version;
    try {
      built = this.#editor.build();
      await this.#journal?.append(records);
    } catch (error) {
      this.#editor.discard();
      throw error;
    }
    const written = this.#editor.show(built);
    this.#recorded?.push(...records.map(({ update }) => update));
    await written;
  }

  readonly #unfolded = (): Unfolded => {
    const { items, mainItems, main, fresh } = this.current();
    const { clusters, clusterRows, probes, recall } = main.manifest;
    return {
      items,
      freshRows: fresh?.items ?? 0,
      deletedRows: main.ids.length - mainItems,
      maxFreshItems: this.limits.maxFreshItems,
      scannedRows: Math.min(clusters, recall?.clusters ?? probes) * clusterRows,
    };
  };

  async #fold(options: FoldOptions): Promise<void> {
    const progress = new Progress(options.onProgress, options.signal);
    const { captured } = await this.#exclusive(async () => {
      this.#recorded = [];
      return { captured: await capture(this.#editor) };
    });
    try {
      if (captured.version.items === 0) return;
      const old = captured.version.main;
      const parts = await onOwnDevice((device) => fold(captured, progress, options, device));
      const main = new MainSegment(parts, this.limits, old.runner.device);
      try {
        await main.runner.warm(old.runner);
        progress.step('swap', 0, 1);
        await this.#exclusive(() => this.#replace(main));
      } catch (error) {
        main.release();
        throw error;
      }
      progress.step('swap', 1, 1);
    } finally {
      this.#recorded = undefined;
      releaseCapture(captured);
    }
  }

  /** Applies what came since the capture to the folded segment, then shows it. */
  async #replace(main: MainSegment): Promise<void> {
    const before = this.current();
    const editor = new Editor(new Version(before.number, main, main.liveItems), this.limits.maxFreshItems);
    for (const update of this.#recorded ?? []) await editor.stage(update);
    await editor.show(editor.build());
    this.#editor = editor;
    before.main.release();
    for (const tensor of before.fresh?.tensors.values() ?? []) tensor.dispose();
  }
}

/** Whether an update was turned down before it changed anything; whatever else fails may have left half of it. */
function isTurnedDown(error: unknown): boolean {
  if (isRefusal(error)) return true;
  return error instanceof SilverlodeError && ['LIMIT_EXCEEDED', 'ABORTED'].includes(error.code);
}

/** Whether there would be room for an update on its own. */
function isLackOfRoom(error: unknown): error is SilverlodeError {
  const { items, maxFreshItems } = error as { items?: number; maxFreshItems?: number };
  return items !== undefined && maxFreshItems !== undefined && items <= maxFreshItems;
}

/** A failed entry of a log stops those behind it. */
function fail({ place, reject }: Entry, error: unknown): void {
  if (place) place.run.failed = true;
  reject(error);
}
