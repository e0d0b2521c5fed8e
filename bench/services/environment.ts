// What the services need beside this package: npm packages and a Python environment, in ignored folders beside the sources.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `bench/services` in the repository, from the compiled file as from its source. */
export const SERVICES = import.meta.url.includes('/build/tools/')
  ? new URL('../../../../bench/services/', import.meta.url)
  : new URL('./', import.meta.url);

const path = (name: string): string => fileURLToPath(new URL(name, SERVICES));
const STAMP = path('.venv/installed');
const BIN = process.platform === 'win32' ? '.venv/Scripts' : '.venv/bin';

/** The interpreter that has what `requirements.txt` says. */
export const PYTHON = path(`${BIN}/python`);

/** What is to be installed, as a digest. */
function wanted(): string {
  const lists = ['package-lock.json', 'requirements.txt'].map((name) => readFileSync(path(name)));
  return createHash('sha256').update(Buffer.concat(lists)).digest('hex');
}

export function isInstalled(): boolean {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted();
}

/**
 * Installs what is pinned, unless it is there. Needs npm, Python 3.11 or newer, and their package indexes.
 *
 * @throws Error that says what could not be done.
 */
export async function install(onStep: (text: string) => void): Promise<void> {
  if (isInstalled()) return;
  const cwd = fileURLToPath(SERVICES);
  const steps: readonly [string, string, string[]][] = [
    ['npm packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']],
    ['a Python environment', 'python3', ['-m', 'venv', '.venv']],
    ['Python packages', PYTHON, ['-m', 'pip', 'install', '--quiet', '--requirement', 'requirements.txt']],
  ];
  for (const [what, command, args] of steps) {
    onStep(`services: installing ${what} …`);
    try {
      await run(command, args, { cwd });
    } catch (error) {
      const { stderr = '', message } = error as Error & { stderr?: string };
      const reason = stderr.trim().split('\n').at(-1) || message;
      throw new Error(
        `the services cannot be compared here, installing ${what} failed (${command} ${args.join(' ')}): ${reason}`,
      );
    }
  }
  writeFileSync(STAMP, wanted());
}
