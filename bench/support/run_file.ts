// What a run leaves behind as JSON: written anew with every result, so that a run that stops early keeps what it has.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { SilverlodeError } from 'silverlode';
import type { Facts } from './machine.js';
import type { BenchResult } from './suite.js';

export type StoredResult = BenchResult & { suite: string };

/** One run of the benchmarks. */
export interface StoredRun {
  machine: Facts;
  /** What was typed. */
  command?: string;
  notes?: Readonly<Record<string, string>>;
  /** False while the run goes on, and for ever where it was stopped. */
  finished?: boolean;
  results: readonly StoredResult[];
}

/** Writes beside the file and renames, so that a reader never sees half of it. */
export function writeRun(file: string, run: StoredRun): void {
  const partial = `${file}.partial`;
  writeFileSync(partial, `${JSON.stringify(run, undefined, 2)}\n`);
  renameSync(partial, file);
}

/** @throws SilverlodeError `IO_ERROR`, or `CORRUPT_FILE` naming what is wrong. */
export function readRun(file: string): StoredRun {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SilverlodeError('IO_ERROR', `cannot read ${file}: ${(cause as Error).message}`, { file }, { cause });
  }
  const corrupt = (problem: string) => new SilverlodeError('CORRUPT_FILE', `${file}: ${problem}`, { file });
  let run: StoredRun;
  try {
    run = JSON.parse(text);
  } catch (cause) {
    throw corrupt(`is not JSON: ${(cause as Error).message}`);
  }
  if (typeof run?.machine !== 'object' || run.machine === null) throw corrupt('has no machine facts');
  if (!Array.isArray(run.results)) throw corrupt('has no list of results');
  for (const [i, result] of (run.results as Partial<StoredResult>[]).entries()) {
    const isComplete =
      typeof result?.suite === 'string' &&
      typeof result.name === 'string' &&
      typeof result.medianMs === 'number' &&
      typeof result.samples === 'number' &&
      typeof result.figures === 'object';
    if (!isComplete) throw corrupt(`results[${i}] lacks suite, name, medianMs, samples or figures`);
  }
  return run;
}
