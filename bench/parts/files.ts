// Arrays as files in a temporary folder, where processes that are measured along read them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that goes with whoever made it. */
export class ArrayFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<ArrayFolder> {
    return new ArrayFolder(await mkdtemp(join(tmpdir(), 'silverlode-bench-')));
  }

  async write(name: string, { buffer, byteOffset, byteLength }: ArrayBufferView): Promise<void> {
    await writeFile(join(this.path, name), new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
