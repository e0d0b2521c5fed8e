// What is kept of items for display alone: any JSON, compressed, in the model file. Nothing is computed with it.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { SilverlodeError } from '../errors.js';
import { inPieces } from '../index/progress.js';
import { parseJson, stringifyJson } from '../io/json.js';
import { type Tensor, tensor, tensorInPieces } from '../tensor/tensor.js';

/** Items that are compressed together: enough to share words, few enough to be read one at a time. */
const BLOCK_ITEMS = 16;
/** Longest text of an item. */
const MOST_TEXT = 2 ** 20;
const BLOCKS_PER_PIECE = 16;

/** JSON of an item; empty for nothing. It has no line breaks. */
export type StoredText = string;

/** @throws SilverlodeError `INVALID_ARGUMENT` for what JSON cannot hold, `LIMIT_EXCEEDED` for more than 1 MiB, naming the item. */
export function storedText(value: unknown, item: number): StoredText {
  const invalid = (why: string) =>
    new SilverlodeError('INVALID_ARGUMENT', `stored[${item}] ${why}`, { field: 'stored', item });
  let text: string | undefined;
  try {
    text = value === undefined ? undefined : stringifyJson(value);
  } catch (error) {
    throw invalid(`is not fit for JSON: ${(error as Error).message}`);
  }
  if (text === undefined || text === 'null') return '';
  if (text.length <= MOST_TEXT) return text;
  throw new SilverlodeError(
    'LIMIT_EXCEEDED',
    `stored[${item}] has ${text.length} characters, at most ${MOST_TEXT} may be`,
    {
      field: 'stored',
      item,
    },
  );
}

/** What a text stands for; integers beyond 2^53 are bigints. Undefined for nothing. */
export function storedValue(text: StoredText): unknown {
  return text === '' ? undefined : parseJson(text);
}

/** Of all items; none for all where nothing is given. @throws SilverlodeError `SHAPE_MISMATCH`, and as `storedText`. */
export function storedTexts(stored: readonly unknown[] | undefined, items: number): StoredText[] {
  if (stored === undefined) return [];
  requireStored(stored, items);
  return stored.map(storedText);
}

/** @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`. */
export function requireStored(stored: readonly unknown[], items: number): void {
  if (!Array.isArray(stored))
    throw new SilverlodeError('INVALID_ARGUMENT', 'stored must be a list, one entry per item', { field: 'stored' });
  if (stored.length !== items)
    throw new SilverlodeError('SHAPE_MISMATCH', `stored has ${stored.length} entries for ${items} items`, {
      field: 'stored',
    });
}

/** The texts of all items, by ordinal. */
export class StoredItems {
  #block = -1;
  #lines: readonly string[] = [];

  /** @param tensors `stored.bytes` uint8, blocks one after another, and `stored.offsets` int64 [blocks + 1]. */
  private constructor(
    private readonly bytes: Uint8Array,
    private readonly offsets: BigInt64Array,
  ) {}

  /** Undefined in a model that stores nothing. @throws SilverlodeError `CORRUPT_FILE`. */
  static restore(tensors: ReadonlyMap<string, Tensor>, items: number): StoredItems | undefined {
    const [bytes, offsets] = [tensors.get('stored.bytes'), tensors.get('stored.offsets')];
    if (bytes === undefined && offsets === undefined) return undefined;
    const blocks = Math.ceil(items / BLOCK_ITEMS);
    if (bytes?.dtype !== 'uint8' || offsets?.dtype !== 'int64' || offsets.shape.join() !== String(blocks + 1))
      throw new SilverlodeError('CORRUPT_FILE', "the tensors 'stored' do not fit the model", {
        tensor: 'stored.offsets',
      });
    return new StoredItems(bytes.view() as Uint8Array, offsets.view() as BigInt64Array);
  }

  /** Tensors by name; none where every text is empty. */
  static async build(count: number, textOf: (item: number) => StoredText): Promise<Map<string, Tensor>> {
    const blocks: Uint8Array[] = [];
    let isEmpty = true;
    const pack = (begin: number, end: number) => {
      for (let block = begin; block < end; block++) {
        const lines: string[] = [];
        for (let item = block * BLOCK_ITEMS; item < Math.min(count, (block + 1) * BLOCK_ITEMS); item++)
          lines.push(textOf(item));
        isEmpty &&= lines.every((line) => line === '');
        blocks.push(deflateRawSync(lines.join('\n')));
      }
    };
    await inPieces(Math.ceil(count / BLOCK_ITEMS), pack, BLOCKS_PER_PIECE);
    if (isEmpty) return new Map();
    const offsets = new BigInt64Array(blocks.length + 1);
    for (const [i, block] of blocks.entries()) offsets[i + 1] = (offsets[i] as bigint) + BigInt(block.length);
    const bytes = new Uint8Array(Number(offsets.at(-1)));
    await inPieces(
      blocks.length,
      (begin, end) => {
        for (let i = begin; i < end; i++) bytes.set(blocks[i] as Uint8Array, Number(offsets[i]));
      },
      BLOCKS_PER_PIECE * 64,
    );
    return new Map<string, Tensor>([
      ['stored.bytes', (await tensorInPieces(bytes, 'uint8', [bytes.length])) as Tensor],
      ['stored.offsets', tensor(offsets) as Tensor],
    ]);
  }

  at(ordinal: number): StoredText {
    const block = Math.floor(ordinal / BLOCK_ITEMS);
    if (block !== this.#block) this.#lines = this.#read(block);
    this.#block = block;
    return this.#lines[ordinal % BLOCK_ITEMS] ?? '';
  }

  #read(block: number): string[] {
    const [begin, end] = [Number(this.offsets[block]), Number(this.offsets[block + 1])];
    const fits = begin >= 0 && end >= begin && end <= this.bytes.length;
    try {
      if (!fits) throw new Error('it lies beyond its end');
      const most = BLOCK_ITEMS * 4 * (MOST_TEXT + 1);
      return inflateRawSync(this.bytes.subarray(begin, end), { maxOutputLength: most }).toString('utf8').split('\n');
    } catch (error) {
      throw new SilverlodeError('CORRUPT_FILE', `block ${block} of what is stored: ${(error as Error).message}`, {
        tensor: 'stored.bytes',
      });
    }
  }
}
