import { ops } from 'silverlode';
import { FILTER_SIZES, type FilterInput, type FilterSizes, makeFilterInput } from './filter_input.js';
import { defineCases } from './op_case.js';

export type Input = FilterInput;

export const cases = defineCases<FilterSizes, Input>(
  [...FILTER_SIZES, { bench: true, rows: 400 * 512, plans: 8 }],
  makeFilterInput,
  ({ rows, plans = 3, leaves = 6 }) => ({
    bytes: (plans * rows * (leaves + 2)) / 8,
    operations: plans * rows * leaves,
  }),
);

export const run = async ({ plans, live, index, hashes }: Input) => {
  const { lo, hi } = await ops.filterEval(plans, live, index, { hashes });
  return { lo: lo, hi: hi };
};
