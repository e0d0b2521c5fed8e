// The one place of lib/io that writes.

import { writeFile } from 'node:fs/promises';
import { SilverlodeError } from '../errors.js';

/**
 * Writes the chunks one after another; an existing file is replaced.
 *
 * @throws SilverlodeError `IO_ERROR` when the operating system refuses.
 */
export async function writeChunks(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  try {
    await writeFile(path, chunks);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SilverlodeError('IO_ERROR', `cannot write ${path}: ${reason}`, { path }, { cause: error });
  }
}
