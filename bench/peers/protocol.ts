// What the runner says to an engine and what comes back: one JSON text a line, on the engine's stdin and stdout.
import type { SetFiles } from '../data/standard_set.js';

/** Search effort by the engine's own names, such as `nprobe`. */
export type Effort = Readonly<Record<string, number>>;

export interface BuildCommand {
  set: SetFiles;
  /** A folder of the engine's own, empty before. */
  folder: string;
}

export interface RunCommand {
  mode: 'single' | 'batch';
  /** Queries a call; 1 for single. */
  batch: number;
  threads: number;
  /** Empty: no filter. */
  filter: string;
  effort: Effort;
  k: number;
  /** How many are asked, the set's queries over and over. */
  queries: number;
  /** Where ids are to be written, int32 [queries, k], -1 where there are fewer. */
  idsFile?: string;
}

/** Opens the built index anew, answers the first query and lets it go. */
export interface OpenCommand extends BuildCommand {
  /** How it is opened, by the engine's own names, such as `mmap`. */
  how: string;
  k: number;
}

/** Clusters the rows and makes an index of them. */
export interface ClusterCommand {
  set: SetFiles;
  clusters: number;
  /** Of k-means; 0: the engine's own limit. */
  iterations: number;
  threads: number;
  /** Where the cluster of each item is written, int32 [items]. */
  assignmentsFile: string;
}

/** One key says which. `prepare` loads what was built. */
export interface Commands {
  build: BuildCommand;
  prepare: BuildCommand;
  run: RunCommand;
  open: OpenCommand;
  cluster: ClusterCommand;
}

/** Wall and processor time of the whole process. */
export interface Times {
  wallSeconds: number;
  cpuSeconds: number;
}

export interface Ran extends Times {
  /** Milliseconds of each call. */
  calls: number[];
}

export interface Replies {
  /** Version and settings of the engine, as a reader wants to know them. */
  build: Times & { about: string };
  prepare: Times;
  run: Ran;
  open: Times;
  cluster: Times;
}

export type CommandName = keyof Commands;

export type Reply<Answer> = { ok: Answer } | { error: { code: EngineCode; message: string } };

/**
 * `BAD_COMMAND`: not JSON, or no such command; `NOT_PREPARED`: `run` before `prepare`; `FAILED`: the library threw;
 * `DEAD`: the process ended; `TIMEOUT`: no answer in time; `BAD_REPLY`: something else than a reply on its stdout.
 */
export type EngineCode = 'BAD_COMMAND' | 'NOT_PREPARED' | 'FAILED' | 'DEAD' | 'TIMEOUT' | 'BAD_REPLY';

/** Names the engine and what happened to it. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly code: EngineCode,
    readonly engine: string,
    message: string,
  ) {
    super(`${engine}: ${message}`);
  }
}
