// What the services need beside this package: npm packages and a Python environment, in a folder that git and npm ignore.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PINNED = resolve('bench', 'services', 'packages');
const FOLDER = resolve('build', 'services');
const MARK = join(FOLDER, '.installed');

/** The interpreter that has what `requirements.txt` says. */
export const PYTHON = join(FOLDER, '.venv', 'bin', 'python');

/** A script of the services. */
export const pythonScript = (name: string): string => resolve('bench', 'services', 'python', name);

/** Loads a package of the services' own. */
export const requireOwn = createRequire(join(FOLDER, 'package.json'));

/** What is to be installed, as a digest. */
function wanted(): string {
  const pins = ['package-lock.json', 'requirements.txt'].map((name) => readFileSync(join(PINNED, name)));
  return createHash('sha256').update(Buffer.concat(pins)).digest('hex');
}

export function isInstalled(): boolean {
  return existsSync(MARK) && readFileSync(MARK, 'utf8') === wanted();
}

/**
 * Installs what is pinned, unless it is there. Needs npm, Python 3.11 or newer with venv, and the network.
 *
 * @param again Whatever is there.
 * @throws Error that says what could not be done.
 */
export async function install(again: boolean, progress: (what: string) => void): Promise<void> {
  if (!again && isInstalled()) return;
  await mkdir(FOLDER, { recursive: true });
  await cp(PINNED, FOLDER, { recursive: true });
  const steps: readonly [string, string, string[]][] = [
    ['onnxruntime-node and undici (about 300 MB)', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']],
    ['a Python environment', 'python3', ['-m', 'venv', '.venv']],
    ['FAISS, FastAPI and onnx (about 150 MB)', PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', 'requirements.txt']],
  ];
  for (const [what, command, args] of steps) {
    progress(`installing ${what} into ${FOLDER}`);
    try {
      await run(command, args, { cwd: FOLDER, maxBuffer: 2 ** 26 });
    } catch (error) {
      const { stderr = '', message } = error as Error & { stderr?: string };
      const reason = stderr.trim().split('\n').at(-1) || message;
      throw new Error(`there are no services to compare with, installing ${what} failed: ${reason}`);
    }
  }
  await writeFile(MARK, wanted());
}
