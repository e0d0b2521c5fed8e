// Updates on disk, so that those which were acknowledged survive the process.
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { SilverlodeError } from '../../errors.js';
import { addon } from '../../native/addon.js';
import type { CheckedUpdate } from './updates.js';

/** When records reach the disk: before an update is acknowledged, every so often, or when the system likes. */
export type FsyncPolicy = 'always' | 'interval' | 'never';

/** An update, and its position in the log that it comes from, if it does. */
export interface JournalEntry {
  readonly update: CheckedUpdate;
  readonly position: unknown;
}

/** An entry and its number; numbers ascend by one. */
export interface JournalRecord extends JournalEntry {
  readonly sequence: number;
}

/**
 * File: 16 bytes `SLVJRNL1` and the number before the first record (uint64), then records: length of the payload (uint32),
 * CRC-32 of number and payload (uint32), number (uint64), payload (structured clone of the entry). Little endian.
 */
const MAGIC = Buffer.from('SLVJRNL1');
const HEADER_BYTES = 16;
const RECORD_BYTES = 16;
const FSYNC_INTERVAL_MS = 100;
/** Longer lengths are no records. */
const MAX_PAYLOAD = 2 ** 31 - 1;

/** An append-only file of updates. After a failed append nothing of it remains, or the journal refuses further ones. */
export class Journal {
  #size: number;
  #sequence: number;
  #broken: SilverlodeError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;

  private constructor(
    readonly path: string,
    private file: FileHandle,
    private readonly fsync: FsyncPolicy,
    state: { size: number; sequence: number },
  ) {
    this.#size = state.size;
    this.#sequence = state.sequence;
  }

  /**
   * Opens or creates a journal. A last record that is not whole is what a crash leaves, and cut off.
   *
   * @param after Records up to this number are part of the model already.
   * @throws SilverlodeError `IO_ERROR`, also while another model of any process has it open; `CORRUPT_FILE` for another file, for a damaged record before whole ones, and where
   * records that follow `after` are missing.
   */
  static async open(
    path: string,
    after: number,
    fsync: FsyncPolicy,
  ): Promise<{ journal: Journal; records: JournalRecord[] }> {
    const file = await attempt(path, 'open', () => open(path, 'a+'));
    try {
      lock(path, file);
      const bytes = await attempt(path, 'read', () => file.readFile());
      if (bytes.length < HEADER_BYTES && MAGIC.subarray(0, bytes.length).equals(bytes.subarray(0, 8))) {
        return { journal: await Journal.#create(path, file, after, fsync), records: [] };
      }
      const { records, size, first } = parse(path, bytes);
      const sequence = records.at(-1)?.sequence ?? first;
      if (first > after || sequence < after)
        throw corrupt(path, `holds records ${first + 1} to ${sequence}, the model needs those after ${after}`);
      if (size < bytes.length) await attempt(path, 'truncate', () => file.truncate(size));
      const journal = new Journal(path, file, fsync, { size, sequence });
      return { journal, records: records.filter((record) => record.sequence > after) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async #create(path: string, file: FileHandle, after: number, fsync: FsyncPolicy): Promise<Journal> {
    await attempt(path, 'write', async () => {
      await file.truncate(0);
      await file.appendFile(toHeader(after));
      await file.sync();
      await syncFolder(path);
    });
    return new Journal(path, file, fsync, { size: HEADER_BYTES, sequence: after });
  }

  /** Number of the last record. */
  get sequence(): number {
    return this.#sequence;
  }

  get bytes(): number {
    return this.#size;
  }

  /**
   * Appends entries in one write.
   *
   * @throws SilverlodeError `IO_ERROR`; none of them is in the journal then.
   */
  async append(entries: readonly JournalEntry[]): Promise<void> {
    if (this.#broken) throw this.#broken;
    const records = Buffer.concat(entries.map((entry, i) => toRecord(this.#sequence + 1 + i, entry)));
    try {
      await attempt(this.path, 'write', async () => {
        await this.file.appendFile(records);
        if (this.fsync === 'always') await this.file.datasync();
      });
    } catch (error) {
      await this.#takeBack();
      throw error;
    }
    this.#size += records.length;
    this.#sequence += entries.length;
    if (this.fsync === 'interval') this.#syncSoon();
  }

  /** Drops records up to a number: those of a model file that is safe. */
  async trim(upTo: number): Promise<void> {
    const path = `${this.path}.trimmed`;
    await this.#settle();
    await attempt(this.path, 'trim', async () => {
      const { records, size } = parse(this.path, await readFile(this.path));
      const kept = records
        .filter(({ sequence }) => sequence > upTo)
        .map(({ sequence, ...entry }) => toRecord(sequence, entry));
      const bytes = Buffer.concat([toHeader(Math.min(upTo, this.#sequence)), ...kept]);
      if (size !== this.#size) throw new Error('its length is not the expected one');
      await writeFile(path, bytes, { flush: true });
      const file = await open(path, 'a+');
      lock(path, file);
      await rename(path, this.path);
      await syncFolder(this.path);
      await this.file.close();
      this.file = file;
      this.#size = bytes.length;
    });
  }

  /** Makes everything durable and closes the file. */
  async close(): Promise<void> {
    await this.#settle();
    try {
      if (this.fsync !== 'never' && !this.#broken) await attempt(this.path, 'write', () => this.file.datasync());
    } finally {
      await this.file.close();
    }
  }

  /** Ends flushing that is planned or under way. */
  async #settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#syncing;
  }

  /** Removes what a failed write may have left, so that later records follow the last whole one. */
  async #takeBack(): Promise<void> {
    try {
      await this.file.truncate(this.#size);
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
      this.#syncing = this.file.datasync().catch((cause: unknown) => {
        this.#broken = new SilverlodeError('IO_ERROR', `${this.path}: cannot flush the journal`, {}, { cause });
      });
    }, FSYNC_INTERVAL_MS);
    this.#timer.unref();
  }
}

function toHeader(before: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(before), MAGIC.length);
  return header;
}

function toRecord(sequence: number, entry: JournalEntry): Buffer {
  const payload = serialize(entry);
  const head = Buffer.alloc(RECORD_BYTES);
  head.writeUInt32LE(payload.length, 0);
  head.writeBigUInt64LE(BigInt(sequence), 8);
  head.writeUInt32LE(crc32(payload, crc32(head.subarray(8))), 4);
  return Buffer.concat([head, payload]);
}

/** All whole records from the start. */
function parse(path: string, bytes: Buffer): { records: JournalRecord[]; size: number; first: number } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt(path, 'is no journal of this format');
  const first = Number(bytes.readBigUInt64LE(MAGIC.length));
  const records: JournalRecord[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const record = readRecord(bytes, at, first + records.length + 1);
    if (record === undefined) {
      requireTail(path, bytes, at, first + records.length + 1);
      return { records, size: at, first };
    }
    records.push(record.value);
    at = record.end;
  }
}

function readRecord(bytes: Buffer, at: number, sequence: number): { value: JournalRecord; end: number } | undefined {
  if (at + RECORD_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  const end = at + RECORD_BYTES + length;
  if (length > MAX_PAYLOAD || end > bytes.length) return undefined;
  const checksum = crc32(bytes.subarray(at + 8, end));
  if (checksum !== bytes.readUInt32LE(at + 4) || bytes.readBigUInt64LE(at + 8) !== BigInt(sequence)) return undefined;
  const entry = deserialize(bytes.subarray(at + RECORD_BYTES, end)) as JournalEntry;
  return { value: { sequence, ...entry }, end };
}

/** What follows a record that cannot be read must hold no whole one: that would be damage, not the end of a torn write. */
function requireTail(path: string, bytes: Buffer, from: number, expected: number): void {
  for (let at = from + 1; at + RECORD_BYTES <= bytes.length; at++) {
    const sequence = Number(bytes.readBigUInt64LE(at + 8));
    const isLater = sequence >= expected && sequence <= expected + (bytes.length - from) / RECORD_BYTES;
    if (isLater && readRecord(bytes, at, sequence))
      throw corrupt(path, `is damaged: record ${expected} at byte ${from} cannot be read`);
  }
}

/** Two writers would number their records alike. */
function lock(path: string, { fd }: FileHandle): void {
  if (addon().lockFile(fd)) return;
  throw new SilverlodeError('IO_ERROR', `${path}: the journal is in use by another model; close that one first`, {
    path,
  });
}

/** So that the name of a new file survives too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

async function attempt<T>(path: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SilverlodeError('IO_ERROR', `${path}: cannot ${action} the journal: ${reason}`, { path }, { cause });
  }
}

function corrupt(path: string, problem: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `${path} ${problem}`, { path });
}
