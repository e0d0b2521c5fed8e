/** What the values of a field are; also how a literal of a filter on it is read. */
export type FieldType = 'string' | 'boolean' | 'int64' | 'float64';

/**
 * Where the index answers for one value of a field: an exact slice, or a term of the Bloom signature. No more than `items`
 * items hold the value; undefined where nobody counts them.
 */
export type TermRef = { readonly items?: number } & (
  | { readonly kind: 'slice'; readonly slice: number }
  | { readonly kind: 'bloom'; readonly term: number; readonly hash: bigint }
);

/** What a plan must know about one field of an index. */
export interface FieldSchema {
  readonly name: string;
  readonly type: FieldType;
  /** Whether an item may hold several values. */
  readonly multi: boolean;
  /** The slice of the items that have a value; -1 when all have one. */
  readonly existsSlice: number;
  /** No item has a value: every test of the field is false. */
  readonly empty?: boolean;
  /**
   * Where a single-valued number is stored: among the 32-bit or the 64-bit columns, and its index there. Float64 is
   * always 64 bits wide, stored as `float64Key`. Fields without it are compared by `lookup` and know no ranges.
   */
  readonly column?: { readonly width: 32 | 64; readonly index: number } | undefined;
  /**
   * The term of a value, undefined for a value that no item has. Values come as the type of the field says: a string, a
   * boolean, a bigint for int64, a number (never -0) for float64.
   */
  lookup(value: string | boolean | number | bigint): TermRef | undefined;
}

/** The fields of an index by name. */
export interface FilterSchema {
  readonly fields: ReadonlyMap<string, FieldSchema>;
}
