// The engines of a comparison: each builds its index once, in a process that ends, and answers from another one.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SetFiles } from '../data/standard_set.js';
import { EngineProcess } from './engine_process.js';
import type { Contestant } from './lineup.js';
import { EngineError } from './protocol.js';

/** Building a graph of a million items on one thread may take long. */
const BUILD_LIMIT_SECONDS = 3600;

/** What building an index gave; kept beside it. */
export interface Built {
  about: string;
  wallSeconds: number;
  cpuSeconds: number;
  /** Of all its files. */
  bytes: number;
  /** Found from an earlier run. */
  kept: boolean;
}

/** An engine that is ready to search. */
export interface Competitor {
  contestant: Contestant;
  folder: string;
  built: Built;
  engine: EngineProcess;
  /** Resident bytes that loading the index and a first answer added. */
  residentBytes: number;
}

/** Builds the index unless an earlier run left it; Silverlode's own is always built, since its code changes. */
export async function buildIndex(contestant: Contestant, set: SetFiles): Promise<{ folder: string; built: Built }> {
  const folder = join(set.folder, contestant.id);
  const facts = join(folder, 'built.json');
  const [, config = ''] = [contestant.id, JSON.stringify(contestant.command().args.slice(1))];
  if (contestant.needs !== undefined && existsSync(facts)) {
    const known = JSON.parse(readFileSync(facts, 'utf8')) as Built & { config: string };
    if (known.config === config) return { folder, built: { ...known, kept: true } };
  }
  await rm(folder, { recursive: true, force: true });
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const engine = new EngineProcess(contestant.name, contestant.command());
  try {
    console.error(`building ${contestant.name}`);
    const times = await engine.ask('build', { set, folder: partial }, BUILD_LIMIT_SECONDS);
    const built = { ...times, bytes: bytesIn(partial), kept: false };
    await writeFile(join(partial, 'built.json'), JSON.stringify({ ...built, config }));
    await rename(partial, folder);
    return { folder, built };
  } finally {
    await engine.stop();
  }
}

/** Loads a built index in a fresh process. */
export async function enter(contestant: Contestant, set: SetFiles): Promise<Competitor> {
  const { folder, built } = await buildIndex(contestant, set);
  const engine = new EngineProcess(contestant.name, contestant.command());
  try {
    // A command that is refused shows that the process has loaded its libraries.
    await engine.ask('run', NO_RUN).catch((error: unknown) => {
      if (!(error instanceof EngineError) || error.code !== 'NOT_PREPARED') throw error;
    });
    const before = residentBytes(engine.pid);
    await engine.ask('prepare', { set, folder }, 600);
    return { contestant, folder, built, engine, residentBytes: residentBytes(engine.pid) - before };
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

const NO_RUN = { mode: 'single', batch: 1, threads: 1, filter: '', effort: {}, k: 1, queries: 1 } as const;

function residentBytes(pid: number): number {
  return 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
