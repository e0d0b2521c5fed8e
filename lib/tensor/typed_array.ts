// Typed arrays of any realm: `vm` and test runners have classes of their own, which `instanceof` does not know.

/** A class of typed arrays; every realm has it under the same name. */
interface TypedArrayClass {
  readonly name: string;
  readonly prototype: ArrayBufferView;
}

/** Whether a value is a typed array of this kind, whichever realm it is from. */
export function isTypedArrayOf<C extends TypedArrayClass>(value: unknown, type: C): value is C['prototype'] {
  return kindOf(value) === type.name;
}

/** Whether a value is a typed array. */
export function isTypedArray(value: unknown): boolean {
  return kindOf(value)?.endsWith('Array') ?? false;
}

/** Whether an array has lost its buffer, as one that was transferred to a worker; it has no elements then, and reading it throws. */
export function isDetached(value: unknown): boolean {
  if (!ArrayBuffer.isView(value) || value.buffer.byteLength > 0) return false;
  try {
    return new Uint8Array(value.buffer).length > 0; // never: an empty buffer has none
  } catch {
    return true;
  }
}

/** `Float32Array` and the like, `DataView`; of a Buffer it is `Uint8Array`. */
function kindOf(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? (value as Uint8Array)[Symbol.toStringTag] : undefined;
}
