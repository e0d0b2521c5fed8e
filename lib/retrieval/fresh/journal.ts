// Updates on disk, so that those which were acknowledged survive the process.
import { copyFile, link, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SilverlodeError } from '../../errors.js';
import { attempt, HEADER_BYTES, JournalFile, MAX_PAYLOAD, recordHead } from './journal_file.js';
import { decodeEntry, encodeEntry, type JournalEntry } from './journal_record.js';

/** When records reach the disk: before an update is acknowledged, every so often, or when the system likes. */
export type FsyncPolicy = 'always' | 'interval' | 'never';

/** An entry and its number; numbers ascend by one. */
export interface JournalRecord extends JournalEntry {
  readonly sequence: number;
}

/** Called with records in their order, several at a time. */
export type Replay = (records: readonly JournalRecord[]) => Promise<unknown>;

/** Sizes in bytes, from which on a new file is begun and people are warned. */
export interface JournalSizes {
  readonly file: number;
  readonly warning: number;
}

const SIZES: JournalSizes = { file: 2 ** 28, warning: 2 ** 30 };
const FSYNC_INTERVAL_MS = 100;
/** Records read before they are applied. */
const REPLAY_BYTES = 2 ** 26;
const REPLAY_RECORDS = 256;
/** Digits of the number before the first record in the name of a full file. */
const NAME_DIGITS = 16;
const COPY_BYTES = 4 << 20;

/** A full file that is only read any more. */
interface FullFile {
  readonly path: string;
  readonly before: number;
  readonly bytes: number;
}

/**
 * Append-only files of updates: `path`, which is written, and full ones beside it, named `path.<number before its first record>`.
 * After a failed append nothing of it remains, or the journal refuses further ones.
 */
export class Journal {
  #sequence: number;
  #full: FullFile[];
  #before: number;
  #broken: SilverlodeError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #hasWarned = false;

  private constructor(
    readonly path: string,
    private file: JournalFile,
    private readonly fsync: FsyncPolicy,
    private readonly sizes: JournalSizes,
    state: { full: FullFile[]; before: number; sequence: number },
  ) {
    this.#full = state.full;
    this.#before = state.before;
    this.#sequence = state.sequence;
    this.#warn();
  }

  /**
   * Opens or creates a journal. A last record that is not whole is what a crash leaves, and cut off.
   *
   * @param after Records up to this number are part of the model already; `replay` gets those behind it.
   * @throws SilverlodeError `IO_ERROR`, also while another model of any process has it open; `CORRUPT_FILE` for another file, for a
   * damaged record before whole ones, and where records that follow `after` are missing; `UNSUPPORTED_VERSION`; what `replay` throws.
   */
  static async open(
    path: string,
    after: number,
    fsync: FsyncPolicy,
    replay: Replay,
    sizes: JournalSizes = SIZES,
  ): Promise<Journal> {
    const file = await JournalFile.open(path, 'a+');
    try {
      const full = await fullFiles(path);
      const isNew = await file.isUnborn();
      const before = isNew ? undefined : await file.before();
      // A crash between the two steps of beginning a new file leaves the old one under both names.
      const doubled = full.at(-1)?.before === before ? full.pop() : undefined;
      if (doubled) await attempt(path, 'trim', () => rm(doubled.path));
      const first = full[0]?.before ?? before ?? after;
      if (first > after) throw missing(file, first, undefined, after);
      let sequence = first;
      const reader = new Reader(after, replay);
      for (const [i, each] of full.entries()) {
        const next = full[i + 1]?.before ?? before;
        sequence = next !== undefined && next <= after ? next : await readFull(each, sequence, reader);
        if (next !== undefined && next !== sequence) throw missing(file, sequence, next, after);
      }
      if (isNew) {
        await file.begin(sequence);
        await syncFolder(path);
      } else {
        const { end, last } = await reader.read(file, sequence);
        await file.requireTorn(end, last + 1);
        if (last < after) throw missing(file, first, last, after);
        if (end < file.size) await file.truncate(end);
        sequence = last;
      }
      if (sequence < after) throw missing(file, first, sequence, after);
      await reader.finish();
      return new Journal(path, file, fsync, sizes, { full, before: before ?? sequence, sequence });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Number of the last record. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Of all its files. */
  get bytes(): number {
    return this.#full.reduce((sum, { bytes }) => sum + bytes, this.file.size);
  }

  /**
   * Appends entries in one write.
   *
   * @throws SilverlodeError `IO_ERROR`, `LIMIT_EXCEEDED` for an entry of 2 GiB; none of them is in the journal then.
   */
  async append(entries: readonly JournalEntry[]): Promise<void> {
    if (this.#broken) throw this.#broken;
    const chunks: Uint8Array[] = [];
    for (const [i, entry] of entries.entries()) {
      const payload = await encodeEntry(entry);
      const head = recordHead(this.#sequence + 1 + i, payload);
      if (head.readUInt32LE(0) > MAX_PAYLOAD)
        throw new SilverlodeError('LIMIT_EXCEEDED', 'an update of 2 GiB does not fit into the journal; split it');
      chunks.push(head, ...payload);
    }
    if (this.file.size >= this.sizes.file && this.#before < this.#sequence) await this.#beginFile();
    const { size } = this.file;
    try {
      await this.file.append(chunks);
      if (this.fsync === 'always') await this.file.syncData();
    } catch (error) {
      await this.#takeBack(size);
      throw error;
    }
    this.#sequence += entries.length;
    if (this.fsync === 'interval') this.#syncSoon();
    this.#warn();
  }

  /** Drops records up to a number: those of a model file that is safe. */
  async trim(upTo: number): Promise<void> {
    await this.#settle();
    for (let [first] = this.#full; first && (this.#full[1]?.before ?? this.#before) <= upTo; [first] = this.#full) {
      const { path } = first;
      await attempt(this.path, 'trim', () => rm(path));
      this.#full.shift();
    }
    if (this.#full.length === 0 && this.#before < upTo) await this.#shorten(Math.min(upTo, this.#sequence));
  }

  /** Makes everything durable and closes the file. */
  async close(): Promise<void> {
    await this.#settle();
    try {
      if (this.fsync !== 'never' && !this.#broken) await this.file.syncData();
    } finally {
      await this.file.close();
    }
  }

  /** Writes the records behind a number to a new file, which takes this one's place. */
  async #shorten(before: number): Promise<void> {
    let from = HEADER_BYTES;
    for (let number = this.#before + 1; number <= before; number++) {
      const record = await this.file.record(from, number);
      if (record === undefined) throw this.file.corrupt(`is damaged: record ${number} at byte ${from} cannot be read`);
      from = record.end;
    }
    await this.#replace(before, async (next) => {
      for (let at = from; at < this.file.size; at += COPY_BYTES)
        await next.append([await this.file.bytes(at, Math.min(COPY_BYTES, this.file.size - at))]);
    });
  }

  /** The file is kept under another name, and a new one is written from now on. */
  async #beginFile(): Promise<void> {
    await this.#settle();
    await this.file.syncData();
    const kept = { path: nameOfFull(this.path, this.#before), before: this.#before, bytes: this.file.size };
    await attempt(this.path, 'extend', () => keep(this.path, kept.path));
    await this.#replace(this.#sequence, async () => undefined);
    this.#full.push(kept);
  }

  /** Puts a new file in the place of this one; there is a whole one at any time. */
  async #replace(before: number, fill: (next: JournalFile) => Promise<unknown>): Promise<void> {
    const path = `${this.path}.next`;
    await attempt(this.path, 'write', () => rm(path, { force: true }));
    const next = await JournalFile.open(path, 'ax+');
    try {
      await next.begin(before);
      await fill(next);
      await next.sync();
      await attempt(this.path, 'write', () => rename(path, this.path));
      await syncFolder(this.path);
    } catch (error) {
      await next.close();
      throw error;
    }
    await this.file.close();
    this.file = next;
    this.#before = before;
  }

  /** Ends flushing that is planned or under way. */
  async #settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#syncing;
  }

  /** Removes what a failed write may have left, so that later records follow the last whole one. */
  async #takeBack(size: number): Promise<void> {
    try {
      await this.file.truncate(size);
    } catch (cause) {
      this.#broken = new SilverlodeError(
        'IO_ERROR',
        `${this.path}: the journal is in doubt after a failed write`,
        {},
        { cause },
      );
    }
  }

  #syncSoon(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#syncing = this.file.syncData().catch((cause: unknown) => {
        this.#broken = new SilverlodeError('IO_ERROR', `${this.path}: cannot flush the journal`, {}, { cause });
      });
    }, FSYNC_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Once: a journal that nobody trims takes ever longer to load. */
  #warn(): void {
    if (this.#hasWarned || this.bytes < this.sizes.warning) return;
    this.#hasWarned = true;
    const size = `${(this.bytes / 2 ** 30).toFixed(2)} GiB`;
    const advice = 'save the model with trimJournal to drop those that it holds';
    process.emitWarning(`${this.path} holds ${size} of updates; ${advice}`, { code: 'SILVERLODE_LARGE_JOURNAL' });
  }
}

/** Reads records of one file after another and hands those behind a number on. */
class Reader {
  #records: JournalRecord[] = [];
  #bytes = 0;

  constructor(
    private readonly after: number,
    private readonly replay: Replay,
  ) {}

  /** All whole records from the start of a file. Returns where they end, and the number of the last. */
  async read(file: JournalFile, before: number): Promise<{ end: number; last: number }> {
    let [end, last] = [HEADER_BYTES, before];
    for (let record = await file.record(end, last + 1); record; record = await file.record(end, last + 1)) {
      if (record.sequence > this.after) await this.#add(file, record.sequence, record.payload);
      ({ end, sequence: last } = record);
    }
    return { end, last };
  }

  async #add(file: JournalFile, sequence: number, payload: Buffer): Promise<void> {
    const entry = await decodeEntry(payload).catch((cause: Error) => {
      throw file.corrupt(`holds a record ${sequence} that is no update: ${cause.message}`);
    });
    this.#records.push({ sequence, ...entry });
    this.#bytes += payload.length;
    if (this.#bytes >= REPLAY_BYTES || this.#records.length >= REPLAY_RECORDS) await this.finish();
  }

  async finish(): Promise<void> {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    if (records.length > 0) await this.replay(records);
  }
}

async function readFull({ path }: FullFile, before: number, reader: Reader): Promise<number> {
  const file = await JournalFile.open(path, 'r');
  try {
    if ((await file.before()) !== before) throw file.corrupt(`does not begin behind record ${before}`);
    const { end, last } = await reader.read(file, before);
    if (end < file.size) throw file.corrupt(`is damaged: record ${last + 1} at byte ${end} cannot be read`);
    return last;
  } finally {
    await file.close();
  }
}

function missing(file: JournalFile, first: number, last: number | undefined, after: number): SilverlodeError {
  const held = last === undefined ? `those after ${first}` : `records ${first + 1} to ${last}`;
  return file.corrupt(`holds ${held}, the model needs those after ${after}`);
}

function nameOfFull(path: string, before: number): string {
  return `${path}.${String(before).padStart(NAME_DIGITS, '0')}`;
}

/** Full files of a journal in their order. */
async function fullFiles(path: string): Promise<FullFile[]> {
  const [folder, name] = [dirname(path), `${basename(path)}.`];
  const entries = await attempt(path, 'read', () => readdir(folder));
  const names = entries.filter((each) => each.startsWith(name) && /^\d{16}$/.test(each.slice(name.length)));
  const files: FullFile[] = [];
  for (const each of names.sort()) {
    const file = await JournalFile.open(join(folder, each), 'r');
    files.push({ path: file.path, before: Number(each.slice(name.length)), bytes: file.size });
    await file.close();
  }
  return files;
}

/** Gives a file a second name; a copy where the file system has no such thing. */
async function keep(path: string, name: string): Promise<void> {
  try {
    await link(path, name);
  } catch {
    await copyFile(path, name);
    const copy = await open(name, 'r+');
    await copy.sync().finally(() => copy.close());
  }
}

/** So that the name of a new file survives too. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be flushed there; NTFS keeps names in a log of its own
  await attempt(path, 'write', async () => {
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  });
}
