// The payload of a journal record: one update as text and plain numbers, for any program to read.
//
//   bytes 0 to 3   length of the text (uint32)
//   text           JSON Lines in UTF-8: a head, then items in pieces
//   the rest       the arrays that the head names, float32, one after another
//
// Head: `type` and `items` of the update, `position` in the log that it comes from (left out without one), `ids` ("string", "number",
// "bigint"), `fields` with `name`, `kind`, `integral` and `multi` of every attribute, `columns` of `updateFeatures`, `arrays` with
// the length of each array by name. Every piece: `ids`, `values` with one list per field of the values of every item, and `stored`, texts of
// JSON, left out where nothing is stored. Bigints
// and numbers that JSON has not are decimal text: their kind tells. Little endian.

import type { AttributeValue } from '../../index/attributes.js';
import { inPieces } from '../../index/progress.js';
import { parseJson, stringifyJson } from '../../io/json.js';
import type { StoredText } from '../stored.js';
import type { ItemId } from '../types.js';
import type { UpdateColumn } from './update_columns.js';
import type { CheckedUpdate } from './updates.js';

/** An update, and its position in the log that it comes from, if it does. */
export interface JournalEntry {
  readonly update: CheckedUpdate;
  readonly position: unknown;
}

type Kind = 'string' | 'number' | 'bigint' | 'boolean';
type Field = Omit<UpdateColumn, 'values'>;
const ARRAYS = ['embeddings', 'features', 'bias', 'values'] as const;
type Arrays = Partial<Record<(typeof ARRAYS)[number], Float32Array>>;

interface Head {
  type: CheckedUpdate['type'];
  items: number;
  position?: unknown;
  /** Undefined where there are none. */
  ids?: Kind;
  fields: Field[];
  columns?: readonly number[];
  arrays: Partial<Record<(typeof ARRAYS)[number], number>>;
}

interface Piece {
  ids: readonly (string | number)[];
  values: readonly (readonly (readonly unknown[])[])[];
  stored?: readonly StoredText[];
}

/** Items written or read between two turns of the event loop. */
const PIECE_ITEMS = 1024;
const LENGTH_BYTES = 4;
const NEWLINE = 0x0a;

/** The payload of an entry, in buffers to be written one after another. */
export async function encodeEntry({ update, position }: JournalEntry): Promise<Uint8Array[]> {
  const { type, ids } = update;
  const attributes = 'attributes' in update ? update.attributes : [];
  const stored = 'stored' in update ? update.stored : [];
  const given = update as Arrays;
  const named = ARRAYS.filter((name) => given[name] !== undefined);
  const head: Head = {
    type,
    items: ids.length,
    position,
    ids: ids.length > 0 ? (typeof ids[0] as Kind) : undefined,
    fields: attributes.map(({ values: _, ...field }) => field),
    columns: update.type === 'updateFeatures' ? update.columns : undefined,
    arrays: Object.fromEntries(named.map((name) => [name, given[name]?.length])),
  };
  const lines = [Buffer.from(`${stringifyJson(head)}\n`)];
  const write = (begin: number, end: number) => {
    const values = attributes.map((column) => column.values.slice(begin, end));
    const piece: Piece = { ids: ids.slice(begin, end) as Piece['ids'], values };
    if (stored.length > 0) piece.stored = stored.slice(begin, end);
    lines.push(Buffer.from(`${JSON.stringify(piece, plain)}\n`));
  };
  await inPieces(ids.length, write, PIECE_ITEMS);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(lines.reduce((sum, line) => sum + line.length, 0));
  const arrays = named.map((name) => {
    const { buffer, byteOffset, byteLength } = given[name] as Float32Array;
    return new Uint8Array(buffer, byteOffset, byteLength);
  });
  return [length, ...lines, ...arrays].filter((chunk) => chunk.length > 0); // the CRC of nothing would start anew
}

/** The entry of a payload. Throws for what is none; its checksum has told that it is as it was written. */
export async function decodeEntry(payload: Buffer): Promise<JournalEntry> {
  const textEnd = LENGTH_BYTES + payload.readUInt32LE(0);
  let at = LENGTH_BYTES;
  const nextLine = (): unknown => {
    const end = payload.indexOf(NEWLINE, at);
    const line = parseJson(payload.toString('utf8', at, end));
    at = end + 1;
    return line;
  };
  const head = nextLine() as Head;
  const ids: ItemId[] = [];
  const stored: StoredText[] = [];
  const columns = head.fields.map((field) => ({ ...field, values: [] as (readonly AttributeValue[])[] }));
  const readPiece = () => {
    const piece = nextLine() as Piece;
    for (const id of piece.ids) ids.push(read(id, head.ids) as ItemId);
    if (piece.stored) stored.push(...piece.stored);
    columns.forEach(({ kind, values }, column) => {
      for (const own of piece.values[column] ?? []) values.push(own.map((value) => read(value, kind)));
    });
  };
  await inPieces(Math.ceil(head.items / PIECE_ITEMS), readPiece, 1);
  if (at !== textEnd || ids.length !== head.items) throw new Error('its text is not as long as it says');
  const arrays: Arrays = {};
  for (const name of ARRAYS) {
    const length = head.arrays[name];
    if (length === undefined) continue;
    arrays[name] = new Float32Array(length);
    const bytes = new Uint8Array(arrays[name].buffer);
    if (payload.copy(bytes, 0, at, at + bytes.length) < bytes.length) throw new Error('its arrays are cut off');
    at += bytes.length;
  }
  return { update: toUpdate(head, { ids, stored }, columns, arrays), position: head.position };
}

function toUpdate(
  head: Head,
  { ids, stored }: { ids: ItemId[]; stored: StoredText[] },
  attributes: UpdateColumn[],
  arrays: Arrays,
): CheckedUpdate {
  const need = (name: (typeof ARRAYS)[number]): Float32Array => {
    const array = arrays[name];
    if (array) return array;
    throw new Error(`it has no ${name}`);
  };
  switch (head.type) {
    case 'upsert': {
      const [embeddings, features, bias] = [need('embeddings'), need('features'), need('bias')];
      return { type: 'upsert', ids, embeddings, attributes, features, bias, stored };
    }
    case 'delete':
      return { type: 'delete', ids };
    case 'updateAttributes':
      return { type: 'updateAttributes', ids, attributes };
    case 'updateFeatures':
      return { type: 'updateFeatures', ids, columns: head.columns ?? [], values: need('values') };
    default:
      throw new Error(`it is of the unknown type ${JSON.stringify(head.type)}`);
  }
}

/** What JSON has no form for is text. */
function plain(_: string, value: unknown): unknown {
  const isText = typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value));
  return isText ? String(value) : value;
}

function read(value: unknown, kind: Kind | undefined): AttributeValue {
  if (kind === 'bigint') return BigInt(value as string);
  return kind === 'number' ? Number(value) : (value as AttributeValue);
}
