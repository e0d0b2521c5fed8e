/** A value in a filter. It is read by the type of its field: `1990` and `'1990'` mean the same, and so do a date and its milliseconds. */
export type FilterValue = string | number | bigint | boolean;

/** A bound of a range: a finite number, one in text where float64 would round it, or a date such as `'2024-01-31'`. */
export type FilterNumber = number | bigint | string;

/** Bounds of a range; a bound left out is open. */
export interface FilterBounds {
  /** Greater than or equal. */
  readonly gte?: FilterNumber | undefined;
  /** Greater than. */
  readonly gt?: FilterNumber | undefined;
  /** Less than or equal. */
  readonly lte?: FilterNumber | undefined;
  /** Less than. */
  readonly lt?: FilterNumber | undefined;
}

/** A test of one item. On a field without a value every test is false. */
export type FilterLeaf =
  /** Every item; `*` in the language. */
  | { readonly all: true }
  /** The field has this value, among others where it holds several. */
  | { readonly eq: readonly [field: string, value: FilterValue] }
  /** The field has one of these values; an empty list matches nothing. */
  | { readonly in: readonly [field: string, values: readonly FilterValue[]] }
  /** The single number of the field lies within the bounds. */
  | { readonly range: readonly [field: string, bounds: FilterBounds] }
  /** The field has a value. */
  | { readonly exists: string };

/** A filter in its core forms, checked: what the parser, the builder and `checkFilter` yield. */
export type FilterNode =
  | FilterLeaf
  /** All of them; an empty list matches every item. */
  | { readonly and: readonly FilterNode[] }
  /** At least one of them; an empty list matches nothing. */
  | { readonly or: readonly FilterNode[] }
  /** The plain complement: an item without a language satisfies `{not: {eq: ['language', 'en']}}`. */
  | { readonly not: FilterNode };

/**
 * A filter as a tree: plain objects of one key each, fit for JSON.
 *
 * Beside the core forms a few common ones are understood: `has` is `eq`; `ge`, `gt`, `le` and `lt` are ranges with one
 * bound; `between` is a range that includes both ends.
 *
 * @example `{and: [{eq: ['language', 'en']}, {not: {in: ['tag', ['x', 'y']]}}, {range: ['year', {gte: 1990, lt: 2000}]}]}`
 */
export type FilterExpr =
  | FilterLeaf
  | { readonly and: readonly FilterExpr[] }
  | { readonly or: readonly FilterExpr[] }
  | { readonly not: FilterExpr }
  | { readonly has: readonly [field: string, value: FilterValue] }
  | { readonly ge: readonly [field: string, bound: FilterNumber] }
  | { readonly gt: readonly [field: string, bound: FilterNumber] }
  | { readonly le: readonly [field: string, bound: FilterNumber] }
  | { readonly lt: readonly [field: string, bound: FilterNumber] }
  | { readonly between: readonly [field: string, low: FilterNumber, high: FilterNumber] };

/** Longest filter text, in UTF-16 units. */
export const MAX_FILTER_TEXT = 256 * 1024;

/** Most terms in a filter: tests, and values in lists. */
export const MAX_FILTER_TERMS = 4096;

/**
 * Most levels of a filter tree, leaves included. In text a NOT takes one level and a parenthesis two, since it may hold
 * an OR of ANDs; so whatever parses is also accepted as a tree.
 */
export const MAX_FILTER_DEPTH = 1024;
