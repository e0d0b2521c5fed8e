// Scripts that run in a process of their own, on the built package: for what may crash, exit or take memory.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const entry = new URL('../../dist/index.js', import.meta.url);
if (!existsSync(entry)) throw new Error('these tests run on dist: npm run build:ts');

export interface Finished {
  /** Exit code; null when a signal ended the process or it did not end in time. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it printed. */
  output: string;
  errors: string;
  milliseconds: number;
}

export interface ChildOptions {
  /** Node's own flags. */
  flags?: readonly string[];
  /** Passed as process.argv[2], [3], … */
  args?: readonly (string | number)[];
  /** Shell words before the command, such as `ulimit -f 8 &&`. */
  shell?: string;
  timeout?: number;
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
}

/** Far beyond what anything takes, also on a machine that is busy: tests fail by what they find, never for being slow. */
const HANG_GUARD = 1_800_000;

/** Runs a script as an ES module file `path`, where `silverlode` is the built package. */
export function runScript(path: string, options: ChildOptions = {}): Finished {
  const { flags = [], args = [], shell, timeout = HANG_GUARD, env } = options;
  const command = [process.execPath, ...flags, path, ...args.map(String)];
  const started = performance.now();
  const [file, ...rest] = shell === undefined ? command : ['bash', '-c', `${shell} exec "$@"`, 'bash', ...command];
  const { status, signal, stdout, stderr } = spawnSync(file as string, rest, {
    encoding: 'utf8',
    timeout,
    env: { ...process.env, ...env },
  });
  return { code: status, signal, output: stdout, errors: stderr, milliseconds: performance.now() - started };
}

/** Where the built package is imported from. */
export const entryUrl: string = entry.href;

/** The import line of a script, which may stand in any folder. */
export const importLine = (names: string): string =>
  `import { ${names} } from ${JSON.stringify(entry.href)}; const PACKAGE = ${JSON.stringify(entry.href)};`;

/** Path of a file beside a test. */
export const beside = (url: string, name: string): string => fileURLToPath(new URL(name, url));
