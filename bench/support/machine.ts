import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import { devices } from 'silverlode';

export type Facts = Readonly<Record<string, string | number>>;

/** Facts that two runs may differ in and still be compared without a word. */
export const HARMLESS_FACTS: readonly string[] = ['load before', 'commit', 'silverlode'];

/**
 * What figures depend on besides the code.
 *
 * @param threads Compute threads that were asked for; 0: the default.
 */
export function machineFacts(threads = 0): Facts {
  const cpu = devices().find(({ id }) => id === 'cpu');
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    simd: cpu?.simd ?? 'unknown',
    threads: threads || (cpu?.threads ?? 0),
    'memory GB': Math.round(totalmem() / 1e9),
    os: `${platform()} ${arch()} ${release()}`,
    /** Processes that wanted to run in the last minute: above the number of cores, others were measured along. */
    'load before': Number((loadavg()[0] as number).toFixed(1)),
    node: process.version,
    v8: process.versions.v8,
    ...buildFacts(),
    commit: commit(),
  };
}

/** Version of the package, and the compiler where the build left a note. */
function buildFacts(): Facts {
  const manifest = createRequire(import.meta.url).resolve('silverlode/package.json');
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  const note = path.join(path.dirname(manifest), 'build/build_info.json');
  return {
    silverlode: read(manifest).version ?? 'unknown',
    compiler: (existsSync(note) && read(note).compiler) || 'unknown',
  };
}

/** The commit of the working directory, with a plus sign when files differ from it. */
function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return git('rev-parse', '--short=12', 'HEAD').trim() + (git('status', '--porcelain', '-uno') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}
