import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder that lasts as long as the test file that asked for it. */
export async function tempFolder(): Promise<{
  path: (name: string) => string;
  write: (name: string, content: string | Uint8Array) => Promise<string>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'silverlode-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(path(name), content);
    return path(name);
  };
  return { path, write };
}
