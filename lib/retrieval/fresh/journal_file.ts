// One file of a journal: a header and numbered records, read in pieces and appended whole.
//
//   header   bytes 0 to 7 `SLVJRNL2`, then the number before the first record (uint64)
//   record   length of the payload (uint32), CRC-32 of number and payload (uint32), number (uint64), payload
//
// Little endian. Numbers ascend by one. `journal_record.ts` says what a payload holds.
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { SilverlodeError } from '../../errors.js';
import { addon } from '../../native/addon.js';

const MAGIC = Buffer.from('SLVJRNL2');
/** Payloads that only the runtime that wrote them could read. */
const OLD_MAGIC = Buffer.from('SLVJRNL1');
export const HEADER_BYTES = 16;
const RECORD_BYTES = 16;
/** Longer lengths are no records. */
export const MAX_PAYLOAD = 2 ** 31 - 1;
const BLOCK_BYTES = 4 << 20;

const [openFile, closeFile, fstat, stat, read, writev, truncate, flush, flushData] = [
  promisify(fs.open),
  promisify(fs.close),
  promisify(fs.fstat),
  promisify(fs.stat),
  promisify(fs.read),
  promisify(fs.writev),
  promisify(fs.ftruncate),
  promisify(fs.fsync),
  promisify(fs.fdatasync),
];

/** Closes files that were dropped: newer runtimes end the process when a FileHandle is, so these are plain descriptors. */
const dropped = new FinalizationRegistry((fd: number) => fs.close(fd, () => undefined));

/** A record as it lies in a file. */
export interface RawRecord {
  readonly sequence: number;
  readonly payload: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

/** An open file; the operating system's refusals become `IO_ERROR`. */
export class JournalFile {
  /** The bytes read last, and where they begin. */
  #block = Buffer.alloc(0);
  #begin = 0;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    /** Bytes that hold header and whole records. */
    public size: number,
  ) {}

  /** @param flags As of `fs.open`; a file that can be written is locked. */
  static async open(path: string, flags: 'r' | 'a+' | 'ax+'): Promise<JournalFile> {
    const fd = await attempt(path, 'open', () => openFile(path, flags));
    try {
      if (flags !== 'r') await lock(path, fd);
      const { size } = await attempt(path, 'read', () => fstat(fd));
      const file = new JournalFile(path, fd, size);
      dropped.register(file, fd, file);
      return file;
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
  }

  /** An empty one in place of what the file held. @param before The number before the first record. */
  async begin(before: number): Promise<void> {
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeBigUInt64LE(BigInt(before), MAGIC.length);
    await this.truncate(0);
    await this.append([header]);
    await this.sync();
  }

  /** Whether no header was ever written in full: what a crash at the very first leaves. */
  async isUnborn(): Promise<boolean> {
    if (this.size >= HEADER_BYTES) return false;
    const bytes = await this.bytes(0, Math.min(this.size, MAGIC.length));
    return MAGIC.subarray(0, bytes.length).equals(bytes);
  }

  /**
   * The number before the first record.
   *
   * @throws SilverlodeError `CORRUPT_FILE` for another file, `UNSUPPORTED_VERSION`.
   */
  async before(): Promise<number> {
    const header = await this.bytes(0, Math.min(HEADER_BYTES, this.size));
    const magic = header.subarray(0, MAGIC.length);
    if (magic.equals(OLD_MAGIC)) {
      const advice = 'load it with the version that wrote it, save the model and delete the journal';
      throw new SilverlodeError('UNSUPPORTED_VERSION', `${this.path} is a journal of an older format: ${advice}`);
    }
    if (header.length < HEADER_BYTES || !magic.equals(MAGIC)) throw this.corrupt('is no journal of this format');
    return Number(header.readBigUInt64LE(MAGIC.length));
  }

  /** The record at a place, undefined where none can be read. */
  async record(at: number, sequence: number): Promise<RawRecord | undefined> {
    if (at + RECORD_BYTES > this.size) return undefined;
    const head = await this.bytes(at, RECORD_BYTES);
    const length = head.readUInt32LE(0);
    const checksum = head.readUInt32LE(4);
    const end = at + RECORD_BYTES + length;
    if (length > MAX_PAYLOAD || end > this.size || head.readBigUInt64LE(8) !== BigInt(sequence)) return undefined;
    const known = crc32(head.subarray(8));
    const payload = await this.bytes(at + RECORD_BYTES, length);
    return crc32(payload, known) === checksum ? { sequence, payload, end } : undefined;
  }

  /**
   * What follows a record that cannot be read must hold no whole one: that would be damage, not the end of a torn write.
   *
   * @throws SilverlodeError `CORRUPT_FILE`.
   */
  async requireTorn(from: number, expected: number): Promise<void> {
    const last = expected + (this.size - from) / RECORD_BYTES;
    for (let begin = from + 1; begin + RECORD_BYTES <= this.size; begin += BLOCK_BYTES) {
      const block = await this.bytes(begin, Math.min(BLOCK_BYTES + RECORD_BYTES, this.size - begin));
      for (let at = 0; at < BLOCK_BYTES && at + RECORD_BYTES <= block.length; at++) {
        const sequence = block.readUInt32LE(at + 8) + 2 ** 32 * block.readUInt32LE(at + 12);
        if (sequence >= expected && sequence <= last && (await this.record(begin + at, sequence)))
          throw this.corrupt(`is damaged: record ${expected} at byte ${from} cannot be read`);
      }
    }
  }

  /** Appends bytes behind `size`, which grows; after a failure some of them may be in the file. */
  async append(chunks: readonly Uint8Array[]): Promise<void> {
    await attempt(this.path, 'write', async () => {
      for (let left = chunks.filter(({ length }) => length > 0); left.length > 0; ) {
        const { bytesWritten } = await writev(this.fd, left.slice(0, MAX_CHUNKS));
        left = behind(left, bytesWritten);
      }
    });
    this.size += chunks.reduce((sum, { length }) => sum + length, 0);
    this.#block = Buffer.alloc(0);
  }

  async truncate(size: number): Promise<void> {
    await attempt(this.path, 'truncate', () => truncate(this.fd, size));
    this.size = size;
    this.#block = Buffer.alloc(0);
  }

  async sync(): Promise<void> {
    await attempt(this.path, 'write', () => flush(this.fd));
  }

  async syncData(): Promise<void> {
    await attempt(this.path, 'write', () => flushData(this.fd));
  }

  async close(): Promise<void> {
    dropped.unregister(this);
    await attempt(this.path, 'close', () => closeFile(this.fd));
  }

  /** Bytes of the file, valid until the next call; what is far apart is read block by block. */
  async bytes(at: number, length: number): Promise<Buffer> {
    if (at < this.#begin || at + length > this.#begin + this.#block.length) {
      const wanted = Math.min(Math.max(length, BLOCK_BYTES), this.size - at);
      const block = Buffer.allocUnsafe(wanted);
      for (let done = 0; done < wanted; ) {
        const { bytesRead } = await attempt(this.path, 'read', () =>
          read(this.fd, block, done, Math.min(wanted - done, BLOCK_BYTES), at + done),
        );
        if (bytesRead === 0) throw this.corrupt('became shorter while it was read');
        done += bytesRead;
      }
      this.#block = block;
      this.#begin = at;
    }
    return this.#block.subarray(at - this.#begin, at - this.#begin + length);
  }

  corrupt(problem: string): SilverlodeError {
    return new SilverlodeError('CORRUPT_FILE', `${this.path} ${problem}`, { path: this.path });
  }
}

/** Buffers that one call may write; systems take 1024. */
const MAX_CHUNKS = 512;

/** What is left of buffers after some of their bytes were written. */
function behind(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  let skipped = written;
  const first = chunks.findIndex(({ length }) => {
    if (skipped < length) return true;
    skipped -= length;
    return false;
  });
  if (first < 0) return [];
  return [(chunks[first] as Uint8Array).subarray(skipped), ...chunks.slice(first + 1)];
}

/** What stands before a payload, which may be in several buffers. */
export function recordHead(sequence: number, payload: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(RECORD_BYTES);
  head.writeUInt32LE(
    payload.reduce((sum, { length }) => sum + length, 0),
    0,
  );
  head.writeBigUInt64LE(BigInt(sequence), 8);
  head.writeUInt32LE(
    payload.reduce((known, chunk) => crc32(chunk, known), crc32(head.subarray(8))),
    4,
  );
  return head;
}

/** Two writers would number their records alike. */
async function lock(path: string, fd: number): Promise<void> {
  const isLocked = addon().lockFile(fd);
  // Another one may have put a new file in this place between opening and locking.
  const [held, named] = await attempt(path, 'open', () => Promise.all([fstat(fd), stat(path)]));
  if (isLocked && held.ino === named.ino) return;
  throw new SilverlodeError('IO_ERROR', `${path}: the journal is in use by another model; close that one first`, {
    path,
  });
}

/** @throws SilverlodeError `IO_ERROR` for whatever the operating system refuses. */
export async function attempt<T>(path: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = (cause as Error).message ?? String(cause);
    throw new SilverlodeError('IO_ERROR', `${path}: cannot ${action} the journal: ${reason}`, { path }, { cause });
  }
}
