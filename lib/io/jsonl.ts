// JSON Lines: one JSON object per line. Read as a stream, so that the file never has to fit into one string.

import { isUtf8 } from 'node:buffer';
import { SilverlodeError } from '../errors.js';
import { type InputFile, type ReadOptions, withInputFile } from './input_file.js';
import { parseJson } from './json.js';
import { type Table, TableBuilder } from './table.js';

const NEWLINE = 0x0a;

/** A file without line breaks is no JSON Lines; this bounds what is held of it. */
const MAX_LINE_BYTES = 64 << 20;

/**
 * Reads a `.jsonl` file into columns. A key that a line lacks is `null` there; empty lines are skipped. A column of integers, some
 * beyond 2^53, becomes `bigint`s.
 *
 * @param path The file, UTF-8.
 * @param options Progress and cancellation.
 * @returns One array per key, all as long as there are objects in the file.
 * @throws SilverlodeError `CORRUPT_FILE` with `line` (from 1) for anything that is not a JSON object, `LIMIT_EXCEEDED`
 * for a line above 64 MiB, `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const { title, tags } = await readJsonl('items.jsonl');
 * ```
 */
export function readJsonl(path: string, options: ReadOptions = {}): Promise<Table> {
  return withInputFile(path, options, async (file) => {
    const table = new TableBuilder();
    let line = 0;
    for await (const bytes of lines(file)) {
      line++;
      const row = parseLine(file, bytes, line);
      if (row) table.addRow(row);
    }
    return table.build();
  });
}

function parseLine(file: InputFile, bytes: Uint8Array, line: number): Record<string, unknown> | undefined {
  if (!isUtf8(bytes)) throw file.corrupt(`line ${line}`, 'is not UTF-8', { line });
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().trim();
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw file.corrupt(`line ${line}`, `is not JSON: ${(error as Error).message}`, { line });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw file.corrupt(`line ${line}`, 'is not a JSON object', { line });
}

/** The file's lines as bytes, without their `\n`. Bytes, because JSON may hold U+2028, which line readers split at. */
async function* lines(file: InputFile): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const block of file.blocks()) {
    let begin = 0;
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, begin)) {
      const tail = block.subarray(begin, end);
      yield pending.length > 0 ? Buffer.concat([...pending, tail]) : tail;
      pending = [];
      pendingBytes = 0;
      begin = end + 1;
    }
    const rest = block.subarray(begin);
    pending.push(rest);
    pendingBytes += rest.length;
    if (pendingBytes > MAX_LINE_BYTES) {
      const message = `${file.path} has a line of more than ${MAX_LINE_BYTES} bytes`;
      throw new SilverlodeError('LIMIT_EXCEEDED', message, { path: file.path });
    }
  }
  if (pendingBytes > 0) yield Buffer.concat(pending);
}
