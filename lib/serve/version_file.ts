// The file of a version, held open, so that it is still there when another one has taken its name.
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { SilverlodeError } from '../errors.js';

/** A model file as it was when it was opened. Its space on the disk is not given back before `close`. */
export class VersionFile {
  private constructor(
    readonly path: string,
    /** Changes when a file is replaced or rewritten. */
    readonly identity: string,
    private readonly handle: FileHandle,
  ) {}

  /** @throws SilverlodeError `IO_ERROR`. */
  static async open(path: string): Promise<VersionFile> {
    try {
      const handle = await open(path, 'r');
      return new VersionFile(path, identityOf(await handle.stat({ bigint: true })), handle);
    } catch (error) {
      throw new SilverlodeError('IO_ERROR', `${path}: ${(error as Error).message}`, { path }, { cause: error });
    }
  }

  /** Whether its path still leads to it. */
  async isInPlace(): Promise<boolean> {
    return (await stat(this.path, { bigint: true }).then(identityOf, () => undefined)) === this.identity;
  }

  /** A path that leads to it, also when another file was renamed to its own; undefined when it was rewritten in place. */
  async currentPath(): Promise<string | undefined> {
    if (identityOf(await this.handle.stat({ bigint: true })) !== this.identity) return undefined;
    if (await this.isInPlace()) return this.path;
    return process.platform === 'win32' ? undefined : `/dev/fd/${this.handle.fd}`;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

const identityOf = ({ ino, size, mtimeNs }: BigIntStats): string => `${ino} ${size} ${mtimeNs}`;
