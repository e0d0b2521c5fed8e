// A column of equally long number lists, page by page into one matrix: building a list per row takes ten times the time and memory.

import type { Compressors, FileMetaData, SchemaTree } from 'hyparquet';
import type { ColumnDecoder, ColumnMetaData, DataPage, DecodedArray, PageHeader } from 'hyparquet/src/types.js';
import { SilverlodeError } from '../errors.js';
import type { InputFile } from './input_file.js';

/** How hyparquet reads pages. */
async function pageReaders() {
  const [{ parquetHeader, readPage }, pages, { convert, convertWithDictionary, DEFAULT_PARSERS }, schema] =
    await Promise.all([
      import('hyparquet/src/column.js'),
      import('hyparquet/src/datapage.js'),
      import('hyparquet/src/convert.js'),
      import('hyparquet/src/schema.js'),
    ]);
  return { parquetHeader, readPage, ...pages, convert, convertWithDictionary, parsers: DEFAULT_PARSERS, ...schema };
}

type PageReaders = Awaited<ReturnType<typeof pageReaders>>;

/** Reads the whole column. @param tree Schema of the file. */
export async function readVectorColumn(
  file: InputFile,
  metadata: FileMetaData,
  tree: SchemaTree,
  column: string,
  compressors: Compressors,
): Promise<{ data: Float32Array<ArrayBuffer>; dims: number }> {
  const readers = await pageReaders();
  const matrix = new Matrix(file.path, column, Number(metadata.num_rows));
  for (const { columns } of metadata.row_groups) {
    const own = columns.flatMap(({ meta_data: each }) => (each?.path_in_schema[0] === column ? [each] : []));
    const [chunk] = own;
    if (chunk === undefined || own.length !== 1) throw matrix.fault(0);
    const path = readers.getTreePath(tree, chunk.path_in_schema);
    if (readers.getMaxRepetitionLevel(path) !== 1) throw matrix.fault(0);
    const begin = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
    const bytes = await file.read(begin, Number(chunk.total_compressed_size));
    const element = (path.at(-1) as SchemaTree).element;
    const decoder = { ...chunk, pathInSchema: chunk.path_in_schema, schemaPath: path, element, compressors };
    readChunk(readers, bytes, { ...decoder, parsers: readers.parsers } as ColumnDecoder & ColumnMetaData, matrix);
  }
  return matrix.finish();
}

function readChunk(readers: PageReaders, bytes: Uint8Array<ArrayBuffer>, decoder: ColumnDecoder, matrix: Matrix): void {
  const reader = { view: new DataView(bytes.buffer), offset: 0 };
  const full = readers.getMaxDefinitionLevel(decoder.schemaPath);
  let dictionary: DecodedArray | undefined;
  while (reader.offset < bytes.length - 1) {
    const header = readers.parquetHeader(reader);
    if (header.type === 'DICTIONARY_PAGE') {
      const { data } = readers.readPage(reader, header, decoder, undefined, undefined, 0);
      if (data) dictionary = readers.convert(data, decoder);
      continue;
    }
    const page = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    const { encoding, data } = readDataPage(readers, page, header, decoder);
    const values = readers.convertWithDictionary(data.dataPage, dictionary, encoding, decoder);
    matrix.append(values, data.repetitionLevels, data.definitionLevels ?? [], full);
  }
}

function readDataPage(readers: PageReaders, page: Uint8Array, header: PageHeader, decoder: ColumnDecoder) {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const encoding = (first ?? second)?.encoding;
  if (encoding === undefined) throw new Error(`unsupported page type ${header.type}`);
  const plain = () =>
    readers.decompressPage(page, Number(header.uncompressed_page_size), decoder.codec, decoder.compressors);
  const data: DataPage = first
    ? readers.readDataPage(plain(), first, decoder)
    : readers.readDataPageV2(page, header, decoder);
  return { encoding, data };
}

/** Rows as they come, all of the length of the first. */
class Matrix {
  #data = new Float32Array(0);
  #dims = 0;
  #next = 0;
  /** Begins of rows so far. */
  #rows = 0;

  constructor(
    private readonly path: string,
    private readonly column: string,
    private readonly rows: number,
  ) {}

  /** @param repetitions 0 where a row begins. @param definitions Less than `full` where there is no number; none at all where all are there. */
  append(
    values: ArrayLike<unknown>,
    repetitions: ArrayLike<number>,
    definitions: ArrayLike<number>,
    full: number,
  ): void {
    let next = 0;
    for (let i = 0; i < repetitions.length; i++) {
      if (repetitions[i] === 0) this.#beginRow(repetitions, i);
      const value = definitions.length > 0 && definitions[i] !== full ? undefined : values[next++];
      if (typeof value !== 'number' && typeof value !== 'bigint') throw this.fault(this.#rows - 1);
      if (this.#next === this.#rows * this.#dims) throw this.fault(this.#rows - 1);
      this.#data[this.#next++] = Number(value);
    }
  }

  finish(): { data: Float32Array<ArrayBuffer>; dims: number } {
    if (this.#next !== this.#data.length || this.#rows !== this.rows) throw this.fault(this.#rows - 1);
    return { data: this.#data, dims: this.#dims };
  }

  /** The row that ends here must be as long as the first, which writers put into one page. */
  #beginRow(repetitions: ArrayLike<number>, at: number): void {
    if (this.#rows === 0) {
      let end = at + 1;
      while (end < repetitions.length && repetitions[end] !== 0) end++;
      this.#dims = end - at;
      this.#data = new Float32Array(this.rows * this.#dims);
    }
    if (this.#next !== this.#rows * this.#dims) throw this.fault(this.#rows - 1);
    if (++this.#rows > this.rows) throw new Error('it has more rows than it says');
  }

  fault(row: number): SilverlodeError {
    const { path, column } = this;
    const message = `${path}: row ${row} of column ${column} is not a list of ${this.#dims} numbers`;
    return new SilverlodeError('SHAPE_MISMATCH', message, { path, column, row });
  }
}
