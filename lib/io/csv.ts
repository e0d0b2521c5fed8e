// CSV (RFC 4180, UTF-8) with a header line, by csv-parse; the typing of columns is ours.

import { pipeline } from 'node:stream/promises';
import { typedColumn } from './csv_column.js';
import { type InputFile, type ReadOptions, withInputFile } from './input_file.js';
import type { Table } from './table.js';

/** Options of {@link readCsv}. */
export interface CsvOptions extends ReadOptions {
  /** Character between cells; the default is a tab for `.tsv` and a comma otherwise. */
  delimiter?: string;
  /**
   * Text between the values of one cell, e.g. `'|'`. A column in which any cell holds it becomes multi-valued: every
   * cell of it an array. Without this option no cell is split.
   */
  listSeparator?: string;
}

/**
 * Reads a CSV file with a header line into typed columns.
 *
 * An empty cell is `null`. A column becomes numbers when every other cell is a number as JSON writes it (so `007`
 * stays text), `bigint`s when these are integers and some exceed 2^53, booleans when every cell is `true` or `false`
 * in any case, and strings otherwise.
 *
 * @param path The file.
 * @param options Delimiter, list separator, progress and cancellation.
 * @returns One array per column of the header line.
 * @throws SilverlodeError `CORRUPT_FILE` with `line` for a wrong number of cells, an unfinished quote, a repeated or
 * missing header or text that is not UTF-8; `IO_ERROR`, `ABORTED`.
 *
 * @example
 * ```ts
 * const { year, tags } = await readCsv('items.csv', { listSeparator: '|' });   // (number | null)[], (string[] | null)[]
 * ```
 */
export function readCsv(path: string, options: CsvOptions = {}): Promise<Table> {
  return withInputFile(path, options, async (file) => {
    const delimiter = options.delimiter ?? (path.toLowerCase().endsWith('.tsv') ? '\t' : ',');
    const { header, columns } = await readCells(file, delimiter);
    return Object.fromEntries(
      columns.map((cells, index) => [header[index] as string, typedColumn(cells, options.listSeparator)]),
    );
  });
}

async function readCells(file: InputFile, delimiter: string): Promise<{ header: string[]; columns: string[][] }> {
  const { CsvError, parse } = await import('csv-parse');
  let header: string[] | undefined;
  const columns: string[][] = [];
  const onRecord = (cells: string[], { lines }: { lines: number }): null => {
    if (!header) {
      header = cells;
      if (new Set(header).size < header.length) throw file.corrupt('header', 'names a column twice', { line: lines });
      columns.push(...header.map(() => []));
    } else if (cells.length === header.length) {
      for (const [index, cell] of cells.entries()) columns[index]?.push(cell);
    } else if (cells.length > 1 || cells[0] !== '') {
      // A blank line is no row, except in a file of one column, where it is an empty cell.
      const problem = `has ${cells.length} cells, the header ${header.length}`;
      throw file.corrupt(`line ${lines}`, problem, { line: lines });
    }
    return null;
  };
  const parser = parse({ bom: true, delimiter, relax_column_count: true, on_record: onRecord });
  try {
    await pipeline(utf8Blocks(file), parser.resume());
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = parser.info.lines;
    throw file.corrupt(`line ${line}`, `is not CSV: ${error.message}`, { line });
  }
  if (!header) throw file.corrupt('header', 'is missing');
  return { header, columns };
}

/** The file's blocks, refused where they are not UTF-8: a replaced character would become a wrong attribute value. */
async function* utf8Blocks(file: InputFile): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let begin = 0;
  for await (const block of file.blocks()) {
    try {
      decoder.decode(block, { stream: begin + block.length < file.size });
    } catch {
      throw file.corrupt('text', `is not UTF-8 between bytes ${begin} and ${begin + block.length}`);
    }
    begin += block.length;
    yield block;
  }
}
