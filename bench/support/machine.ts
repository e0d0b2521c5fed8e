import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { devices } from 'silverlode';

/** What figures depend on besides the code. */
export function machineFacts(): Record<string, string | number> {
  const cpu = devices().find(({ id }) => id === 'cpu');
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    simd: cpu?.simd ?? 'unknown',
    threads: cpu?.threads ?? 0,
    /** Processes that wanted to run in the last minute: above the number of cores, others were measured along. */
    'load before': Number((loadavg()[0] as number).toFixed(1)),
    node: process.version,
    commit: commit(),
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
