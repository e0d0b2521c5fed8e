// Installs the peers into a folder of this repository that git and npm ignore: `build/peers`.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Places } from './lineup.js';

const run = promisify(execFile);
const PINNED = join('bench', 'peers', 'packages');
const PACKAGES = ['usearch', 'hnswlib-node', '@zvec/zvec'] as const;
const PYTHON = ['faiss', 'scann', 'svs'] as const;

/** What can take part, and why the others cannot. */
export interface Installed extends Places {
  /** By name of the package: why it is missing. */
  missing: ReadonlyMap<string, string>;
}

/** The folder of everything that the comparison installs, builds and keeps. */
export function peersFolder(): string {
  return resolve('build', 'peers');
}

/** Installs what is not there yet in the pinned versions; `again`: whatever is there. Network, a C++ compiler and Python are needed. */
export async function installPeers(again: boolean): Promise<Installed> {
  const packages = peersFolder();
  const python = join(packages, '.venv', 'bin', 'python');
  const missing = new Map<string, string>();
  await mkdir(packages, { recursive: true });
  await cp(PINNED, packages, { recursive: true });
  await once(packages, 'package-lock.json', again, () => installPackages(packages), PACKAGES, missing);
  const libraries = () => installPython(packages, 'requirements.txt', 'FAISS, ScaNN and SVS (about 200 MB)');
  await once(packages, 'requirements.txt', again, libraries, PYTHON, missing);
  for (const name of PACKAGES) {
    if (!missing.has(name)) await check(name, missing, async () => createRequire(join(packages, 'package.json'))(name));
  }
  for (const name of PYTHON) {
    if (!missing.has(name)) await check(name, missing, () => run(python, ['-c', `import ${name}`]));
  }
  return { packages, python, missing };
}

/** The same for the libraries that single parts are compared with: numpy, pyroaring and, if need be, PyTorch. */
export async function installParts(again: boolean, torch: boolean): Promise<Installed> {
  const packages = peersFolder();
  const python = join(packages, '.venv', 'bin', 'python');
  const missing = new Map<string, string>();
  await mkdir(packages, { recursive: true });
  await cp(PINNED, packages, { recursive: true });
  const parts = () => installPython(packages, 'requirements-parts.txt', 'numpy and pyroaring (about 20 MB)');
  await once(packages, 'requirements-parts.txt', again, parts, ['numpy', 'pyroaring'], missing);
  const withTorch = () => installPython(packages, 'requirements-torch.txt', 'PyTorch (0.2 to 3 GB, by platform)');
  if (torch) await once(packages, 'requirements-torch.txt', again, withTorch, ['torch'], missing);
  for (const name of ['numpy', 'pyroaring', ...(torch ? ['torch'] : [])]) {
    if (!missing.has(name)) await check(name, missing, () => run(python, ['-c', `import ${name}`]));
  }
  return { packages, python, missing };
}

/** Runs an installation unless the same pins were installed before; a failure is kept as the reason of each name. */
async function once(
  folder: string,
  pins: string,
  again: boolean,
  install: () => Promise<void>,
  names: readonly string[],
  missing: Map<string, string>,
): Promise<void> {
  const mark = join(folder, `.installed-${pins}`);
  const digest = createHash('sha256')
    .update(readFileSync(join(folder, pins)))
    .digest('hex');
  if (!again && existsSync(mark) && readFileSync(mark, 'utf8') === digest) return;
  try {
    await install();
    await writeFile(mark, digest);
  } catch (error) {
    for (const name of names) missing.set(name, reason(error));
  }
}

async function installPackages(folder: string): Promise<void> {
  console.error(`installing ${PACKAGES.join(', ')} into ${folder} (hnswlib-node is compiled; about half a minute)`);
  // Not `npm ci`: lock files leave out optional packages of other platforms, which it then misses.
  await run('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder, maxBuffer: 2 ** 26 });
}

async function installPython(folder: string, requirements: string, what: string): Promise<void> {
  const environment = join(folder, '.venv');
  console.error(`installing ${what} into ${environment} (Python 3.10 or newer with venv)`);
  await run('python3', ['-m', 'venv', environment]);
  const pip = ['-m', 'pip', 'install', '--quiet', '-r', join(folder, requirements)];
  await run(join(environment, 'bin', 'python'), pip, { maxBuffer: 2 ** 26 });
}

async function check(name: string, missing: Map<string, string>, load: () => Promise<unknown>): Promise<void> {
  try {
    await load();
  } catch (error) {
    missing.set(name, reason(error));
  }
}

/** What an error says: of a command that failed the first lines on stderr that speak of an error. */
function reason(error: unknown): string {
  const { message, stderr = '', code } = error as { message: string; stderr?: string; code?: string | number };
  if (code === 'ENOENT') return `${message}: not found; is it installed and on the PATH?`;
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => /error/i.test(line));
  return (lines.length > 0 ? lines.slice(0, 3).join(' ') : message.split('\n')[0] || 'unknown').slice(0, 300);
}
