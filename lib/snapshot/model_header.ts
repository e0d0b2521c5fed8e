// What a Silverlode model file adds to safetensors: a format number, a digest of the header, a checksum per tensor.

import { SilverlodeError } from '../errors.js';
import {
  buildSafetensorsHeader,
  FORMAT_KEY,
  FORMAT_VERSION,
  isTensorDType,
  PREFIX_BYTES,
  parseSafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorDType,
  type TensorEntry,
  type TensorSpec,
} from './safetensors.js';
import { hex16, xxh64 } from './xxh64.js';

const DIGEST_KEY = 'silverlode.header_digest';
const CHECKSUMS_KEY = 'silverlode.checksums';

const HEX16 = /^[0-9a-f]{16}$/;
const NO_DIGEST = '0'.repeat(16);

/** A tensor of a model file; `checksum` as in native/snapshot/xxh64.h. */
export interface ModelTensorSpec extends TensorSpec {
  readonly dtype: TensorDType;
  readonly checksum: bigint;
}

/** A tensor of a model file, with its place in the file. */
export interface ModelTensorEntry extends TensorEntry {
  readonly dtype: TensorDType;
  readonly checksum: bigint;
}

/** A checked header of a model file. */
export interface ModelHeader {
  readonly tensors: readonly ModelTensorEntry[];
  /** The metadata that the writer gave; the keys of this file's own bookkeeping are taken out. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Builds the header of a model file, sealed with its own digest.
 *
 * @param tensors What will follow, in this order.
 * @param metadata More text to keep; small, since it is read on every load.
 * @returns `header`: the bytes up to the data; `offsets`: where in the file each tensor begins.
 * @throws SilverlodeError `INTERNAL` as {@link buildSafetensorsHeader} does.
 */
export function buildModelHeader(
  tensors: readonly ModelTensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): { header: Uint8Array<ArrayBuffer>; offsets: number[] } {
  const checksums = Object.fromEntries(tensors.map(({ name, checksum }) => [name, hex16(checksum)]));
  const complete = {
    ...metadata,
    [FORMAT_KEY]: String(FORMAT_VERSION),
    [DIGEST_KEY]: NO_DIGEST,
    [CHECKSUMS_KEY]: JSON.stringify(checksums),
  };
  const built = buildSafetensorsHeader(tensors, complete);
  const json = built.header.subarray(PREFIX_BYTES);
  json.set(Buffer.from(hex16(xxh64(json))), digestPosition(json, NO_DIGEST));
  return built;
}

/**
 * Parses and checks the header of a model file: all that {@link parseSafetensorsHeader} checks, then format, digest
 * and the presence of a checksum for every tensor. The checksums themselves are for the reader of the data to verify.
 *
 * @param bytes The file from its start, at least to the end of the header.
 * @param fileBytes Size of the file.
 * @throws SilverlodeError `CORRUPT_FILE` with `tensor` or `field`; `UNSUPPORTED_VERSION` for a newer format.
 */
export function parseModelHeader(bytes: Uint8Array, fileBytes: number): ModelHeader {
  const { tensors, metadata: all } = parseSafetensorsHeader(bytes, fileBytes);
  const { [FORMAT_KEY]: format, [DIGEST_KEY]: digest, [CHECKSUMS_KEY]: checksums, ...metadata } = all;
  if (format !== String(FORMAT_VERSION)) throw corrupt(FORMAT_KEY, 'is missing: this is no Silverlode model');
  verifyDigest(bytes.slice(PREFIX_BYTES, safetensorsHeaderBytes(bytes, fileBytes)), digest);
  const hashes = parseChecksums(checksums);
  if (hashes.size !== tensors.length) throw corrupt(CHECKSUMS_KEY, 'does not name every tensor');
  return { tensors: tensors.map((tensor) => withChecksum(tensor, hashes.get(tensor.name))), metadata };
}

function verifyDigest(json: Uint8Array, digest: string | undefined): void {
  if (digest === undefined || !HEX16.test(digest)) throw corrupt(DIGEST_KEY, 'is missing');
  json.set(Buffer.from(NO_DIGEST), digestPosition(json, digest));
  if (hex16(xxh64(json)) !== digest) throw corrupt(DIGEST_KEY, 'does not match the header');
}

/**
 * Where the digest's digits are. The text searched for cannot occur elsewhere: quotes inside JSON strings are escaped,
 * and no key but this one has that name and a string value.
 */
function digestPosition(json: Uint8Array, digest: string): number {
  const key = `"${DIGEST_KEY}":"`;
  const at = Buffer.from(json.buffer, json.byteOffset, json.length).indexOf(`${key}${digest}"`);
  if (at < 0) throw corrupt(DIGEST_KEY, 'is not written as a Silverlode model writes it');
  return at + key.length;
}

function parseChecksums(text: string | undefined): Map<string, bigint> {
  let checksums: unknown;
  try {
    checksums = JSON.parse(text ?? '');
  } catch {
    throw corrupt(CHECKSUMS_KEY, 'is not JSON');
  }
  const entries = Object.entries(Object(checksums) as Record<string, unknown>);
  return new Map(
    entries.map(([name, digits]) => {
      if (typeof digits !== 'string' || !HEX16.test(digits)) throw corrupt(CHECKSUMS_KEY, `is malformed for '${name}'`);
      return [name, BigInt(`0x${digits}`)];
    }),
  );
}

function withChecksum(tensor: TensorEntry, checksum: bigint | undefined): ModelTensorEntry {
  const { name, dtype } = tensor;
  if (checksum === undefined) throw corrupt(CHECKSUMS_KEY, `does not name tensor '${name}'`);
  if (!isTensorDType(dtype)) throw corrupt(`tensor '${name}'`, `has dtype ${dtype}, which no model holds`);
  return { ...tensor, dtype, checksum };
}

function corrupt(field: string, problem: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `model file: ${field} ${problem}`, { field });
}
