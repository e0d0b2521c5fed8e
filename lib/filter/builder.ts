import type { FilterBounds, FilterExpr, FilterValue } from './ast.js';

/**
 * Builds filters in code; the same trees as {@link parseFilter} yields, checked when a filter is used.
 *
 * @example
 * ```ts
 * f.and(f.eq('language', 'en'), f.not(f.in('tag', ['x', 'y'])), f.range('year', { gte: 1990, lt: 2000 }));
 * ```
 */
export const f = {
  /** Every one of `filters`; of none, every item. */
  and: (...filters: readonly FilterExpr[]): FilterExpr => ({ and: filters }),

  /** At least one of `filters`; of none, no item. */
  or: (...filters: readonly FilterExpr[]): FilterExpr => ({ or: filters }),

  /** The plain complement: an item that has no value in a field satisfies the NOT of any test on it. */
  not: (filter: FilterExpr): FilterExpr => ({ not: filter }),

  /** `field` has `value`, among others where it holds several. */
  eq: (field: string, value: FilterValue): FilterExpr => ({ eq: [field, value] }),

  /** `field` has one of `values`. */
  in: (field: string, values: Iterable<FilterValue>): FilterExpr => ({ in: [field, [...values]] }),

  /** The single number in `field` lies within `bounds`; a bound left out or undefined is open. */
  range: (field: string, bounds: FilterBounds): FilterExpr => ({ range: [field, bounds] }),

  /** `field` has a value. */
  exists: (field: string): FilterExpr => ({ exists: field }),

  /** Every item. */
  all: (): FilterExpr => ({ all: true }),
};
