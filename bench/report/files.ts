// Reading what `npm run bench -- … --json file` wrote, and refusing anything else by name.
import { readFileSync } from 'node:fs';
import type { BenchResult } from '../support/suite.js';

export type ReportedResult = BenchResult & { suite: string };

/** One run of the benchmarks. */
export interface BenchFile {
  /** As it was given, with forward slashes. */
  file: string;
  machine: Readonly<Record<string, string | number | boolean>>;
  notes: Readonly<Record<string, string>>;
  /** What was typed to get it, where the file says so. */
  command?: string;
  results: readonly ReportedResult[];
}

type Fields = Record<string, unknown>;

/** Reads one file; the error of a malformed one names it, the place in it and what should be there. */
export function readBenchFile(file: string): BenchFile {
  const name = file.replaceAll('\\', '/');
  try {
    return parseBenchFile(name, readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(reason.startsWith(`${name}: `) ? reason : `${name}: ${reason}`, { cause: error });
  }
}

/** The pure part of reading: text to a file of results. */
export function parseBenchFile(file: string, text: string): BenchFile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: not JSON: ${(error as Error).message}`);
  }
  const wrong = (place: string, value: unknown, wanted: string): never => {
    throw new Error(
      `${file}: ${place} is ${value === undefined ? 'missing' : describe(value)}; it should be ${wanted}`,
    );
  };
  const fields = (value: unknown, place: string): Fields =>
    isFields(value) ? value : wrong(place, value, 'an object');
  const ofType = <T>(value: unknown, place: string, wanted: string, is: (value: unknown) => value is T): T =>
    is(value) ? value : wrong(place, value, wanted);
  const string = (from: Fields, key: string, place: string) => ofType(from[key], `${place}.${key}`, 'text', isText);
  const number = (from: Fields, key: string, place: string) =>
    ofType(from[key], `${place}.${key}`, 'a number', isNumber);
  const valuesOf = <T>(value: unknown, place: string, wanted: string, is: (value: unknown) => value is T) =>
    Object.fromEntries(
      Object.entries(fields(value, place)).map(([key, each]) => [
        key,
        ofType(each, `${place}[${JSON.stringify(key)}]`, wanted, is),
      ]),
    );

  const readResult = (value: unknown, place: string): ReportedResult => {
    const from = fields(value, place);
    const result: ReportedResult = {
      suite: string(from, 'suite', place),
      name: string(from, 'name', place),
      medianMs: number(from, 'medianMs', place),
      samples: number(from, 'samples', place),
      figures: valuesOf(from.figures, `${place}.figures`, 'a number', isNumber),
    };
    if (from.p99Ms !== undefined) result.p99Ms = number(from, 'p99Ms', place);
    if (from.plot !== undefined) {
      const plot = fields(from.plot, `${place}.plot`);
      const text = (key: string) => string(plot, key, `${place}.plot`);
      result.plot = { title: text('title'), series: text('series'), x: text('x'), y: text('y') };
      for (const axis of [result.plot.x, result.plot.y])
        if (figureOf(result, axis) === undefined)
          wrong(`${place}.figures[${JSON.stringify(axis)}]`, undefined, 'a number, since the plot names it');
    }
    if (from.goal !== undefined) {
      const goal = fields(from.goal, `${place}.goal`);
      result.goal = {
        id: string(goal, 'id', `${place}.goal`),
        against: string(goal, 'against', `${place}.goal`),
        ratio: number(goal, 'ratio', `${place}.goal`),
        wanted: number(goal, 'wanted', `${place}.goal`),
      };
    }
    return result;
  };

  const root = fields(content, 'the file');
  const results = ofType(root.results, 'results', 'a list', Array.isArray);
  return {
    file,
    machine: valuesOf(root.machine, 'machine', 'text or a number', isFact),
    notes: root.notes === undefined ? {} : valuesOf(root.notes, 'notes', 'text', isText),
    ...(root.command === undefined ? {} : { command: ofType(root.command, 'command', 'text', isText) }),
    results: results.map((result, i) => readResult(result, `results[${i}]`)),
  };
}

/** A figure by its name; `ms` and `p99 ms` are the times of the result itself unless it has figures of that name. */
export function figureOf({ figures, medianMs, p99Ms }: BenchResult, name: string): number | undefined {
  if (Object.hasOwn(figures, name)) return figures[name];
  if (name === 'ms') return medianMs;
  return name === 'p99 ms' ? p99Ms : undefined;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isFact = (value: unknown): value is string | number | boolean =>
  isText(value) || isNumber(value) || typeof value === 'boolean';

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 60);
}
