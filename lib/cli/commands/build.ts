import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SilverlodeError } from '../../errors.js';
import { packageRoot } from '../../native/load.js';
import type { Output } from '../output.js';

/**
 * Builds the native binary for a platform that no package is for. The sources are those of a checkout, of `@silverlode/source`
 * where it is installed, or else that package as npm fetches it into a temporary folder.
 */
export function runBuild(output: Output): void {
  const root = packageRoot();
  const temporary = mkdtempSync(path.join(tmpdir(), 'silverlode-source-'));
  try {
    const source = existsSync(path.join(root, 'native/build.cjs'))
      ? root
      : (installedSource() ?? fetched(root, temporary));
    run(process.execPath, [path.join(source, 'native/build.cjs')], source);
    if (source !== root) {
      for (const part of ['build/Release', 'build/build_info.json'])
        cpSync(path.join(source, part), path.join(root, part), { recursive: true });
    }
    const binary = path.join(root, 'build/Release/silverlode.node');
    output.result({ binary }, () => `built ${binary}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function installedSource(): string | undefined {
  try {
    return path.dirname(createRequire(import.meta.url).resolve('@silverlode/source/package.json'));
  } catch {
    return undefined;
  }
}

function fetched(root: string, folder: string): string {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  const install = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts'];
  const npm = process.env.npm_execpath; // set where npm or npx runs this
  const [command, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  run(command, [...args, ...install, `@silverlode/source@${version}`], folder);
  return path.join(folder, 'node_modules/@silverlode/source');
}

/** What it prints goes to stderr: stdout is for the result. */
function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 2, 2],
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (status !== 0) {
    const reason = error?.message ?? `exit code ${status}`;
    throw new SilverlodeError('DEVICE_UNAVAILABLE', `building failed (${path.basename(command)}: ${reason})`);
  }
}
