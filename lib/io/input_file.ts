// How every reader of this package touches the disk: whole blocks, progress, cancellation, one error per failure.
// All formats read here are little-endian, as are all hosts that Silverlode runs on.

import { type FileHandle, open } from 'node:fs/promises';
import { types } from 'node:util';
import { type ErrorDetails, SilverlodeError } from '../errors.js';

/** Options shared by everything that reads a file. */
export interface ReadOptions {
  /** Called after every block with the bytes read so far and the bytes to read in all. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Stops the reading at the next block, which then rejects with `ABORTED`. */
  signal?: AbortSignal;
}

/** Blocks keep the event loop free between reads and make progress visible. */
const BLOCK_BYTES = 4 << 20;

/** A file open for reading. Made by {@link withInputFile}, which also closes it. */
export class InputFile {
  #doneBytes = 0;

  constructor(
    /** The path as the caller gave it; every error names it. */
    readonly path: string,
    /** Bytes in the file when it was opened. */
    readonly size: number,
    private readonly handle: FileHandle,
    private readonly options: ReadOptions,
  ) {}

  /** The error for a file whose content breaks its format. `field` is the part at fault. */
  corrupt(field: string, problem: string, details?: ErrorDetails): SilverlodeError {
    return new SilverlodeError('CORRUPT_FILE', `${this.path}: ${field} ${problem}`, {
      path: this.path,
      field,
      ...details,
    });
  }

  /** Fills all of `target` with the bytes from `position` on. */
  async readInto(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      this.options.signal?.throwIfAborted();
      const length = Math.min(BLOCK_BYTES, target.length - done);
      const { bytesRead } = await this.handle.read(target, done, length, position + done);
      if (bytesRead === 0) throw this.corrupt('data', `ends at byte ${position + done}, in the middle of a value`);
      done += bytesRead;
      this.#report(this.#doneBytes + bytesRead);
    }
  }

  /** Tells the caller that all is read, also where a format let parts of the file be skipped. */
  finish(): void {
    if (this.#doneBytes < this.size) this.#report(this.size);
  }

  /** Formats with an index read some bytes twice, so the count is capped. */
  #report(doneBytes: number): void {
    this.#doneBytes = Math.min(doneBytes, this.size);
    this.options.onProgress?.(this.#doneBytes, this.size);
  }

  /** Returns `length` bytes from `position` in memory of their own, so that any typed array can view them. */
  async read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    await this.readInto(bytes, position);
    return bytes;
  }

  /** The whole file from `position` on, block by block. */
  async *blocks(position = 0): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let at = position; at < this.size; at += BLOCK_BYTES) {
      yield await this.read(at, Math.min(BLOCK_BYTES, this.size - at));
    }
  }
}

/**
 * Opens a file, hands it to `use` and closes it again.
 *
 * @throws SilverlodeError `IO_ERROR` when the operating system refuses, `ABORTED` when the signal fires.
 */
export async function withInputFile<T>(
  path: string,
  options: ReadOptions,
  use: (file: InputFile) => Promise<T>,
): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    options.signal?.throwIfAborted();
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    const file = new InputFile(path, size, handle, options);
    const result = await use(file);
    file.finish();
    return result;
  } catch (error) {
    throw readError(path, error, options.signal);
  } finally {
    await handle?.close();
  }
}

/** Whether an error is the operating system's refusal; Node's own errors may be of another realm than this file. */
export function isSystemError(error: unknown): error is Error {
  return types.isNativeError(error) && 'syscall' in error;
}

/** Turns whatever stopped a read into the error that callers are promised. */
function readError(path: string, error: unknown, signal?: AbortSignal): unknown {
  if (error instanceof SilverlodeError) return error;
  if (signal?.aborted) return new SilverlodeError('ABORTED', `reading ${path} was aborted`, { path }, { cause: error });
  if (isSystemError(error)) {
    return new SilverlodeError('IO_ERROR', `cannot read ${path}: ${error.message}`, { path }, { cause: error });
  }
  return error;
}
