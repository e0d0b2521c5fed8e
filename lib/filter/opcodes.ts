/**
 * Operations of a compiled filter, in postfix order; numbered as in `native/ops/filter_index.h`.
 *
 * A step is four int64: opcode, argument, lo, hi. Ranges include both ends.
 */
export const FilterOp = {
  all: 0,
  none: 1,
  /** argument: slice */
  slice: 2,
  /** argument: term; lo: its hash */
  bloom: 3,
  /** argument: index among the 32-bit columns; lo, hi: bounds within int32 */
  range32: 4,
  /** argument: index among the 64-bit columns; lo, hi: bounds */
  range64: 5,
  not: 6,
  and: 7,
  or: 8,
  /** adds rows to the mask on top: argument: mask word, lo: its bits, hi: steps of the list that follow */
  rows: 9,
} as const;
