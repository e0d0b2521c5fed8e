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

/** `Float32Array` and the like, `DataView`; of a Buffer it is `Uint8Array`. */
function kindOf(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? (value as Uint8Array)[Symbol.toStringTag] : undefined;
}
