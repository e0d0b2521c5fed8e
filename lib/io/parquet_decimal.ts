// DECIMAL columns of Parquet, from their unscaled integers: hyparquet multiplies those by 10^-scale in float64, which gives the
// neighbour of the double that the decimal stands for, and merges wide ones.

import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import { isTypedArray, isTypedArrayOf } from '../tensor/typed_array.js';

/** The same file without the annotation of decimals, so that their integers are read as they are. */
export function withoutDecimals(metadata: FileMetaData): FileMetaData {
  const schema = metadata.schema.map((element) =>
    isDecimal(element) ? { ...element, converted_type: undefined, logical_type: undefined } : element,
  );
  return { ...metadata, schema };
}

/** The scale of a column of decimals, or of lists of them; undefined for any other column. */
export function decimalScale({ element, children }: SchemaTree): number | undefined {
  const [child] = children;
  if (child) return children.length === 1 ? decimalScale(child) : undefined;
  if (!isDecimal(element)) return undefined;
  return element.scale ?? (element.logical_type?.type === 'DECIMAL' ? element.logical_type.scale : 0);
}

function isDecimal({ converted_type, logical_type }: SchemaElement): boolean {
  return converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL';
}

/** A decimal, or a list of them, from unscaled integers: the nearest double; without decimal places the integer itself. */
export function fromUnscaled(value: unknown, scale: number): unknown {
  if (Array.isArray(value) || (isTypedArray(value) && !isTypedArrayOf(value, Uint8Array)))
    return Array.from(value as unknown[], (each) => fromUnscaled(each, scale));
  if (value === null || value === undefined) return value;
  const unscaled = isTypedArrayOf(value, Uint8Array) ? bigEndian(value) : (value as number | bigint);
  if (scale === 0) return typeof unscaled === 'bigint' ? unscaled : BigInt(unscaled);
  return Number(`${unscaled}e${-scale}`); // rounded once, as any decimal text is
}

/** Two's complement. */
function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
}
