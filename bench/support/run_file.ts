// What a run leaves behind as JSON: written anew with every result, so that a run that stops early keeps what it has.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { SilverlodeError } from 'silverlode';
import type { Facts } from './machine.js';
import type { BenchResult, Goal, PlotPoint } from './suite.js';

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
  return parseRun(file, text);
}

/**
 * The text of a file as a run; fields that are not known are left out.
 *
 * @throws SilverlodeError `CORRUPT_FILE` with the file, the place in it and what should be there.
 */
export function parseRun(file: string, text: string): StoredRun {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new SilverlodeError('CORRUPT_FILE', `${file} is not JSON: ${(cause as Error).message}`, { file }, { cause });
  }
  const root = new Place(file, 'the file', content);
  return {
    machine: root.at('machine').valuesOf(isFact, 'text or a number'),
    command: root.at('command').maybe((command) => command.text()),
    notes: root.at('notes').maybe((notes) => notes.valuesOf(isText, 'text')),
    finished: root.at('finished').maybe((finished) => finished.is(isBoolean, 'true or false')),
    results: root.at('results').list().map(readResult),
  };
}

/** A figure by its name; `ms` and `p99 ms` are the times of the result itself unless it has figures of that name. */
export function figureOf({ figures, medianMs, p99Ms }: BenchResult, name: string): number | undefined {
  if (Object.hasOwn(figures, name)) return figures[name];
  if (name === 'ms') return medianMs;
  return name === 'p99 ms' ? p99Ms : undefined;
}

function readResult(place: Place): StoredResult {
  const result: StoredResult = {
    suite: place.at('suite').text(),
    name: place.at('name').text(),
    medianMs: place.at('medianMs').number(),
    p99Ms: place.at('p99Ms').maybe((time) => time.number()),
    spreadMs: place.at('spreadMs').maybe((time) => time.number()),
    samples: place.at('samples').number(),
    figures: place.at('figures').valuesOf(isNumber, 'a number'),
    goal: place.at('goal').maybe(readGoal),
    plot: place.at('plot').maybe(readPlot),
  };
  for (const axis of result.plot ? [result.plot.x, result.plot.y] : [])
    if (figureOf(result, axis) === undefined) place.at('figures').at(axis).wrong('a number, since the plot names it');
  return result;
}

function readPlot(place: Place): PlotPoint {
  const text = (key: keyof PlotPoint) => place.at(key).text();
  return { title: text('title'), series: text('series'), x: text('x'), y: text('y') };
}

function readGoal(place: Place): Goal {
  return {
    id: place.at('id').text(),
    against: place.at('against').text(),
    ratio: place.at('ratio').number(),
    wanted: place.at('wanted').number(),
  };
}

/** A value of a file and where it stands there. */
class Place {
  constructor(
    private readonly file: string,
    private readonly name: string,
    private readonly value: unknown,
  ) {}

  at(key: string): Place {
    const fields = this.is(isFields, 'an object');
    const inner = /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    const isRoot = this.name === 'the file';
    return new Place(this.file, isRoot ? key : this.name + inner, Object.hasOwn(fields, key) ? fields[key] : undefined);
  }

  is<T>(fits: (value: unknown) => value is T, wanted: string): T {
    return fits(this.value) ? this.value : this.wrong(wanted);
  }

  text(): string {
    return this.is(isText, 'text');
  }

  number(): number {
    return this.is(isNumber, 'a number');
  }

  /** Undefined where the file has nothing. */
  maybe<T>(read: (place: Place) => T): T | undefined {
    return this.value === undefined ? undefined : read(this);
  }

  list(): Place[] {
    const values = this.is<unknown[]>(Array.isArray, 'a list');
    return values.map((value, i) => new Place(this.file, `${this.name}[${i}]`, value));
  }

  valuesOf<T>(fits: (value: unknown) => value is T, wanted: string): Record<string, T> {
    const fields = this.is(isFields, 'an object');
    return Object.fromEntries(Object.keys(fields).map((key) => [key, this.at(key).is(fits, wanted)]));
  }

  wrong(wanted: string): never {
    const found = this.value === undefined ? 'missing' : (JSON.stringify(this.value) as string).slice(0, 60);
    const { file, name } = this;
    throw new SilverlodeError('CORRUPT_FILE', `${file}: ${name} is ${found}; it should be ${wanted}`, {
      file,
      place: name,
    });
  }
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isFact = (value: unknown): value is string | number => isText(value) || isNumber(value);
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
