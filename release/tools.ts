// What building packages takes beside Node: zig, which compiles for every platform, and LIEF, which reads all their binaries.
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The repository: this file runs from `release` and, compiled, from `build/tools/release`. */
export const root = repositoryRoot();

function repositoryRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'CMakeLists.txt'))) folder = path.dirname(folder);
  return folder;
}

/** Pinned: a release must be built by the compiler that was measured. */
const WHEELS = ['ziglang==0.17.1', 'lief==1.0.0'];
const environment = path.join(root, 'build/release-tools');

/** Runs a command to its end and returns what it printed; a failure is an error with its output. */
export function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    maxBuffer: 1 << 28,
    ...options,
    encoding: 'utf8',
  });
  if (status !== 0) {
    const output = error?.message ?? `${stdout}${stderr}`.split('\n').slice(-60).join('\n');
    throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
  }
  return String(stdout);
}

/** Installs the wheels once, into a Python environment of this checkout. */
export function installTools(): void {
  const note = path.join(environment, WHEELS.join(' '));
  if (existsSync(note)) return;
  console.error(`installing ${WHEELS.join(', ')} into ${path.relative(root, environment)}`);
  run('python3', ['-m', 'venv', '--clear', environment]);
  run(python(), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...WHEELS]);
  writeFileSync(note, '');
}

export const python = (): string => path.join(environment, 'bin/python');

/** The folder of the wheel, with the compiler `zig` and the sources of its C++ runtime. */
export function zigFolder(): string {
  return run(python(), ['-c', 'import os, ziglang; print(os.path.dirname(ziglang.__file__))']).trim();
}
