// Bitmaps in Roaring's portable format (RoaringFormatSpec): what other languages' libraries write. Read here, with every length
// checked, since the libraries for JavaScript leave it open what a damaged bitmap does.
import { SilverlodeError } from '../errors.js';

const NO_RUNS = 12_346;
const WITH_RUNS = 12_347;
/** With runs, fewer containers than this have no table of offsets. */
const OFFSETS_FROM = 4;
/** Containers of more values are bitmaps. */
const LARGEST_ARRAY = 4096;
const BITMAP_BYTES = 8192;

/**
 * The numbers of a bitmap, ascending.
 *
 * @param most How many there may be.
 * @throws SilverlodeError `CORRUPT_FILE` for what is no bitmap, or is cut off; `LIMIT_EXCEEDED`.
 */
export function readRoaring(bytes: Uint8Array, most: number): Uint32Array {
  const reader = new Reader(bytes);
  const cookie = reader.uint32();
  const hasRuns = (cookie & 0xffff) === WITH_RUNS;
  if (!hasRuns && cookie !== NO_RUNS) throw corrupt('it does not begin like a bitmap in the portable format');
  const containers = hasRuns ? (cookie >>> 16) + 1 : reader.uint32();
  if (containers > 65_536) throw corrupt(`it has ${containers} containers`);
  const runs = hasRuns ? reader.take(Math.ceil(containers / 8)) : new Uint8Array(0);
  const keys = Array.from({ length: containers }, () => ({ key: reader.uint16(), count: reader.uint16() + 1 }));
  if (keys.some(({ key }, i) => i > 0 && key <= (keys[i - 1]?.key ?? 0))) throw corrupt('its keys do not ascend');
  const total = keys.reduce((sum, { count }) => sum + count, 0);
  if (total > most)
    throw new SilverlodeError('LIMIT_EXCEEDED', `the bitmap holds ${total} numbers, at most ${most} may`);
  if (!hasRuns || containers >= OFFSETS_FROM) reader.take(4 * containers);
  const numbers = new Uint32Array(total);
  let at = 0;
  for (const [i, { key, count }] of keys.entries()) {
    const low = valuesOf(reader, count, ((runs[i >> 3] ?? 0) & (1 << (i & 7))) !== 0);
    for (const value of low) numbers[at++] = key * 65_536 + value;
  }
  return numbers;
}

/** The ascending values below 65 536 of one container. */
function valuesOf(reader: Reader, count: number, isRun: boolean): Uint16Array {
  const values = new Uint16Array(count);
  let found = 0;
  const add = (value: number) => {
    if (found >= count || (found > 0 && value <= (values[found - 1] as number)) || value > 65_535)
      throw corrupt('a container does not hold what its header says');
    values[found++] = value;
  };
  if (isRun) {
    for (let runs = reader.uint16(); runs > 0; runs--) {
      const first = reader.uint16();
      const last = first + reader.uint16();
      for (let value = first; value <= last; value++) add(value);
    }
  } else if (count <= LARGEST_ARRAY) {
    for (let i = 0; i < count; i++) add(reader.uint16());
  } else {
    const bits = reader.take(BITMAP_BYTES);
    for (let value = 0; value < 65_536; value++) if (((bits[value >> 3] as number) >> (value & 7)) & 1) add(value);
  }
  if (found !== count) throw corrupt('a container does not hold what its header says');
  return values;
}

class Reader {
  #at = 0;
  readonly #view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.bytes.length) throw corrupt('it is cut off');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  uint16(): number {
    this.take(2);
    return this.#view.getUint16(this.#at - 2, true);
  }

  uint32(): number {
    this.take(4);
    return this.#view.getUint32(this.#at - 4, true);
  }
}

function corrupt(what: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `not a Roaring bitmap: ${what}`);
}
