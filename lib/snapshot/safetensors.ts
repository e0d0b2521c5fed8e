// Header of a safetensors file: 8-byte length, JSON, spaces. Pure logic on bytes; reading and writing files is not here.
// Format: https://huggingface.co/docs/safetensors/index#format

import { type ErrorDetails, SilverlodeError } from '../errors.js';
import { countElements } from '../io/nd_array.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { duplicateKey } from './duplicate_key.js';

/** Version of the model file that this package writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

/** Metadata key that holds the version. Files of other origin do not have it. */
export const FORMAT_KEY = 'silverlode.format';

/** Dtypes that can become a tensor, and the only ones that a model file holds. */
export type TensorDType = (typeof DTYPES)[DType]['safetensors'];

/** Other dtypes of the format, with their bytes: listed when a file holds them, refused when they are asked for. */
const FOREIGN_DTYPE_BYTES = {
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  U32: 4,
  U64: 8,
  F64: 8,
  C64: 8,
} as const;

/** Every element type that a header may name. */
export type SafetensorsDType = TensorDType | keyof typeof FOREIGN_DTYPE_BYTES;

const TENSOR_DTYPES = new Map(Object.values(DTYPES).map(({ safetensors, bytes }) => [safetensors, bytes]));

const DTYPE_BYTES: ReadonlyMap<SafetensorsDType, number> = new Map([
  ...TENSOR_DTYPES,
  ...(Object.entries(FOREIGN_DTYPE_BYTES) as [SafetensorsDType, number][]),
]);

/** One tensor to be written. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/** One tensor of a file. `begin` and `end` are byte offsets in the *file*, checked to lie in it. */
export interface TensorEntry extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

/** What a checked header says. */
export interface SafetensorsHeader {
  /** The tensors by position in the file: without holes, without overlap, from the header's end to the file's end. */
  readonly tensors: readonly TensorEntry[];
  /** The free text that came with them. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The length prefix. */
export const PREFIX_BYTES = 8;

/** Same limit as the standard library. */
const MAX_JSON_BYTES = 100_000_000;

/** Data starts at a multiple of this in files that we write, so that mapped tensors suit any vector unit. */
export const ALIGNMENT = 64;

/** Bytes of a tensor; `undefined` where the shape is none or the product is no safe integer. */
export function tensorBytes({ dtype, shape }: Omit<TensorSpec, 'name'>): number | undefined {
  const bytes = (countElements(shape) ?? Infinity) * (DTYPE_BYTES.get(dtype) ?? Infinity);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Length of the whole header, prefix included, from its first 8 bytes: how much to read before parsing.
 *
 * @param prefix At least the first 8 bytes of the file.
 * @param fileBytes Size of the file.
 * @throws SilverlodeError `CORRUPT_FILE` where the file is too short or the length too large.
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < PREFIX_BYTES || fileBytes < PREFIX_BYTES) throw corrupt('header length', 'is cut off');
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > MAX_JSON_BYTES) throw corrupt('header length', `${length} is above ${MAX_JSON_BYTES}`);
  const end = PREFIX_BYTES + Number(length);
  if (end > fileBytes) throw corrupt('header length', `${length} goes beyond the end of the file`);
  return end;
}

/**
 * Parses and checks a header. Nothing that it returns needs another check before use as an offset.
 *
 * @param bytes The file from its start, at least to the end of the header.
 * @param fileBytes Size of the file.
 * @returns Tensors by position, and the metadata.
 * @throws SilverlodeError `CORRUPT_FILE` with `tensor` or `field`, for every way in which a header can be wrong;
 * `UNSUPPORTED_VERSION` for a model file newer than {@link FORMAT_VERSION}.
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const end = safetensorsHeaderBytes(bytes, fileBytes);
  if (bytes.length < end) throw corrupt('header', 'is cut off');
  const root = parseJson(bytes.subarray(PREFIX_BYTES, end));
  const { __metadata__: metadata = {}, ...entries } = root;
  checkMetadata(metadata);
  const tensors = Object.entries(entries).map(([name, entry]) => parseTensor(name, entry, end));
  checkLayout(tensors, end, fileBytes);
  return { tensors, metadata };
}

/**
 * Builds a header. Tensors lie in the given order, without holes.
 *
 * @param tensors What will follow.
 * @param metadata Free text; only strings.
 * @returns `header`: the bytes up to the data, a multiple of 64; `offsets`: where in the file each tensor begins.
 * @throws SilverlodeError `INTERNAL` for a name used twice or an impossible shape: callers have checked these.
 */
export function buildSafetensorsHeader(
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): { header: Uint8Array<ArrayBuffer>; offsets: number[] } {
  const root = new Map<string, unknown>([['__metadata__', metadata]]);
  const starts: number[] = [];
  let position = 0;
  for (const { name, dtype, shape } of tensors) {
    const length = tensorBytes({ dtype, shape });
    if (root.has(name)) throw new SilverlodeError('INTERNAL', `tensor name '${name}' is taken`, { tensor: name });
    if (length === undefined) {
      const message = `tensor '${name}' [${shape.join(', ')}] of ${dtype} has no storable length`;
      throw new SilverlodeError('INTERNAL', message, { tensor: name });
    }
    root.set(name, { dtype, shape, data_offsets: [position, position + length] });
    starts.push(position);
    position += length;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(root)));
  const dataBegin = Math.ceil((PREFIX_BYTES + json.length) / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(dataBegin).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(dataBegin - PREFIX_BYTES), true);
  header.set(json, PREFIX_BYTES);
  return { header, offsets: starts.map((start) => dataBegin + start) };
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let root: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    root = JSON.parse(text);
  } catch (error) {
    throw corrupt('header', `is not JSON: ${(error as Error).message}`);
  }
  if (!isRecord(root)) throw corrupt('header', 'is not a JSON object');
  const repeated = duplicateKey(text);
  if (repeated !== undefined) throw corrupt('header', `names '${repeated}' twice`, { tensor: repeated });
  return root;
}

function parseTensor(name: string, entry: unknown, dataBegin: number): TensorEntry {
  const fail = (problem: string): never => {
    throw corrupt(`tensor '${name}'`, problem, { tensor: name });
  };
  if (!isRecord(entry)) return fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets, ...rest } = entry;
  const [surplus] = Object.keys(rest);
  if (surplus !== undefined) return fail(`has an unknown field '${surplus}'`);
  if (!isDType(dtype)) return fail(`has unknown dtype ${JSON.stringify(dtype)}`);
  if (!isSizes(shape)) return fail('has a shape that is not a list of sizes');
  if (!isSizes(offsets) || offsets.length !== 2) return fail('has data_offsets that are not two byte positions');
  const [begin, end] = offsets as [number, number];
  const length = tensorBytes({ dtype, shape });
  if (end - begin !== length) {
    return fail(`[${shape.join(', ')}] of ${dtype} does not fill its data_offsets [${begin}, ${end}]`);
  }
  return { name, dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

/** Sorts the tensors by position and checks that each begins where the one before it ends. */
function checkLayout(tensors: TensorEntry[], dataBegin: number, fileBytes: number): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = dataBegin;
  for (const { name, begin, end } of tensors) {
    if (end > fileBytes) throw corrupt(`tensor '${name}'`, 'goes beyond the end of the file', { tensor: name });
    if (begin !== position) {
      const problem = begin < position ? 'overlaps the one before it' : 'leaves a hole before it';
      throw corrupt(`tensor '${name}'`, problem, { tensor: name });
    }
    position = end;
  }
  if (position !== fileBytes) throw corrupt('data', `ends at byte ${position} of a file of ${fileBytes} bytes`);
}

/** Comes before the tensors: a newer file may describe them in ways that would look corrupt. */
function checkMetadata(metadata: unknown): asserts metadata is Record<string, string> {
  if (!isRecord(metadata)) throw corrupt('__metadata__', 'is not an object');
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw corrupt('__metadata__', `holds '${key}', which is not a string`);
  }
  const version = metadata[FORMAT_KEY];
  if (version === undefined) return;
  if (!/^[1-9]\d{0,8}$/.test(version as string)) throw corrupt(FORMAT_KEY, 'is not a version number');
  if (Number(version) > FORMAT_VERSION) {
    const message = `the model file has format ${version}; this version of Silverlode reads up to ${FORMAT_VERSION}`;
    throw new SilverlodeError('UNSUPPORTED_VERSION', message, { field: FORMAT_KEY, format: Number(version) });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDType(value: unknown): value is SafetensorsDType {
  return DTYPE_BYTES.has(value as SafetensorsDType);
}

/** Whether tensors of this dtype can be made. */
export function isTensorDType(dtype: SafetensorsDType): dtype is TensorDType {
  return TENSOR_DTYPES.has(dtype as TensorDType);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function corrupt(field: string, problem: string, details?: ErrorDetails): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `safetensors: ${field} ${problem}`, { field, ...details });
}
