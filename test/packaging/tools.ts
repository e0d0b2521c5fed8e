// Package managers and hosts, pinned in tools/package.json and installed once into build/packaging-tools.
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const pinned = path.join(root, 'test/packaging/tools/package.json');
const folder = path.join(root, 'build/packaging-tools');

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly output: string;
}

export function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): Finished {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    maxBuffer: 1 << 28,
    ...options,
    encoding: 'utf8',
  });
  return { status, stdout: String(stdout), output: error?.message ?? `${stdout}${stderr}` };
}

export function succeed(command: string, args: readonly string[], options: SpawnSyncOptions = {}): Finished {
  const finished = run(command, args, options);
  if (finished.status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed with ${finished.status}:\n${finished.output}`);
  return finished;
}

/** Installs what is pinned unless it is there. */
export function installTools(): void {
  const installed = path.join(folder, 'package.json');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(pinned, 'utf8')) return;
  const staging = `${folder}/staging`;
  mkdirSync(staging, { recursive: true });
  cpSync(pinned, path.join(staging, 'package.json'));
  succeed('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: staging });
  cpSync(pinned, installed); // last: a broken installation is made anew
}

/** A file of an installed tool. */
export function tool(file: string): string {
  const found = path.join(folder, 'staging/node_modules', file);
  if (!existsSync(found)) throw new Error(`${file} is not among the tools`);
  return found;
}

/** The executable of a tool that is a binary. */
export function program(file: string): string {
  const found = tool(file);
  chmodSync(found, 0o755);
  return found;
}

/** The name of a host and what starts a script in it. */
export const HOSTS: readonly (readonly [string, () => string[]])[] = [
  ['this Node', () => [process.execPath]],
  ['Node 22', () => [program('node22/bin/node')]],
  ['Node 24', () => [program('node24/bin/node')]],
  ['Node 26', () => [program('node26/bin/node')]],
  ['Bun', () => [program('@oven/bun-linux-x64/bin/bun')]],
  ['Deno', () => [program('@deno/linux-x64-glibc/deno'), 'run', '--allow-all']],
];
