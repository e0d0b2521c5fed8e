// What a command prints: one JSON document or text for people on stdout, reasons for failure on stderr, an exit code.

import { CommanderError } from 'commander';
import { SilverlodeError } from '../errors.js';
import { isTypedArray } from '../tensor/typed_array.js';

/** Exit codes of the command line. */
export const ExitCode = { ok: 0, failed: 1, usage: 2 } as const;

/** Where an {@link Output} writes. */
export interface OutputOptions {
  /** Print one JSON document instead of text. */
  json?: boolean;
  stdout?: Pick<NodeJS.WritableStream, 'write'>;
  stderr?: Pick<NodeJS.WritableStream, 'write'>;
}

/** Prints the outcome of one command: either a result or a failure, once. */
export class Output {
  readonly json: boolean;
  readonly #stdout: Pick<NodeJS.WritableStream, 'write'>;
  readonly #stderr: Pick<NodeJS.WritableStream, 'write'>;

  constructor({ json = false, stdout = process.stdout, stderr = process.stderr }: OutputOptions = {}) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /**
   * Prints the result.
   *
   * @param document What `--json` prints.
   * @param text What people read; made only when needed.
   */
  result(document: unknown, text: () => string): void {
    this.#stdout.write(`${this.json ? toJson(document) : text()}\n`);
  }

  /** Tells people, on stderr, something that is no failure. */
  note(text: string): void {
    this.#stderr.write(`note: ${text}\n`);
  }

  /**
   * Prints why a command failed: the reason on stderr and, with `--json`, `{error: {code, message, …}}` on stdout.
   *
   * @param error What was thrown. Wrong usage has been reported by commander already.
   * @returns The exit code to end with.
   */
  failure(error: unknown): number {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    const isOurs = error instanceof SilverlodeError;
    const message = error instanceof Error ? error.message : String(error);
    // Any other error is a bug, and its stack is what a report needs.
    const trace = !isOurs && error instanceof Error ? `\n${error.stack}` : '';
    this.#stderr.write(`error: ${message}${isOurs ? ` (${error.code})` : ''}${trace}\n`);
    if (this.json) {
      const document = isOurs ? { ...error, message } : { code: 'INTERNAL', message };
      this.#stdout.write(`${toJson({ error: document })}\n`);
    }
    return ExitCode.failed;
  }
}

/** JSON text of a result: typed arrays and sets as arrays, maps as objects, bigints as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, entry: unknown) => {
    if (typeof entry === 'bigint') return entry.toString();
    if (isTypedArray(entry)) return Array.from(entry as Float32Array);
    if (entry instanceof Set) return [...entry];
    if (entry instanceof Map) return Object.fromEntries(entry);
    return entry;
  });
}

/** A table with a header line, one line per row. Columns in order of first appearance; columns of numbers to the right. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const names = [...new Set(rows.flatMap(Object.keys))];
  const columns = names.map((name) => {
    const values = rows.map((row) => row[name]);
    const isNumeric = values.every((value) => value == null || typeof value === 'number' || typeof value === 'bigint');
    return align([name, ...values.map(cellText)], isNumeric);
  });
  return joinLines(columns);
}

/** Names and values in full, one pair per line. */
export function properties(record: Readonly<Record<string, unknown>>): string {
  return joinLines([align(Object.keys(record)), Object.values(record).map(fullText)]);
}

function align(cells: readonly string[], right = false): string[] {
  const width = Math.max(...cells.map((cell) => cell.length));
  return cells.map((cell) => (right ? cell.padStart(width) : cell.padEnd(width)));
}

function joinLines(columns: readonly (readonly string[])[]): string {
  const [first = []] = columns;
  return first
    .map((_, line) =>
      columns
        .map((column) => column[line])
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const MAX_CELL = 60;

function cellText(value: unknown): string {
  const text = fullText(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}

function fullText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(5)));
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length > 0 ? value.map(fullText).join(', ') : '-';
  return typeof value === 'object' ? toJson(value) : String(value);
}
