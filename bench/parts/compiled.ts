// Small C++ programs of the benchmarks, built by the system's compiler for this machine when they are first needed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FOLDER = resolve('build', 'bench');

/**
 * Builds a source file unless the same text was built with the same flags before.
 *
 * @param source Path from the root of the repository.
 * @param flags Beside `-O3 -std=c++20`.
 * @returns The path of what was built.
 * @throws Error with the compiler's complaint, or where there is none.
 */
export async function compiled(source: string, flags: readonly string[]): Promise<string> {
  const compiler = process.env.CXX || 'c++';
  const all = ['-O3', '-std=c++20', ...flags];
  const digest = createHash('sha256')
    .update([compiler, ...all, readFileSync(source, 'utf8')].join('\n'))
    .digest('hex');
  const target = join(FOLDER, `${basename(source, '.cpp')}-${digest.slice(0, 12)}`);
  if (existsSync(target)) return target;
  await mkdir(FOLDER, { recursive: true });
  await run(compiler, [...all, source, '-o', `${target}.partial`]);
  await rename(`${target}.partial`, target);
  return target;
}
