import { ops, type Tensor } from 'silverlode';
import { filterEval } from '../reference/filter_eval.js';
import { FILTER_SIZES, type FilterInput, type FilterSizes, makeFilterInput } from './filter_input.js';
import { bitsWhere, defineCases, tensorOf } from './op_case.js';

interface Sizes extends FilterSizes {
  /** Any pair instead of the one that filter_eval gives. */
  bounds?: 'random' | 'all doubtful';
}

export interface Input extends FilterInput {
  lo: Tensor<'int64'>;
  hi: Tensor<'int64'>;
}

export const cases = defineCases<Sizes, Input>(
  [
    ...FILTER_SIZES,
    { rows: 1024, bounds: 'random' },
    { rows: 1024, bounds: 'all doubtful', load: 'skewed blocks' },
    { rows: 512, bounds: 'all doubtful', terms: 3500, load: 'one huge row' },
    { bench: true, rows: 100 * 512, plans: 8 },
  ],
  ({ bounds, ...sizes }, random) => {
    const input = makeFilterInput(sizes, random);
    const shape = [input.plans.offsets.view().length - 1, sizes.rows / 64];
    const words = (shape[0] as number) * (shape[1] as number);
    const share = bounds === 'random' ? 0.5 : 0;
    const { lo, hi } = bounds
      ? { lo: bitsWhere(words, () => random.chance(share)), hi: bitsWhere(words, () => random.chance(1 - share)) }
      : filterEval(input);
    const mask = (bits: BigInt64Array) => tensorOf(bits, ...shape);
    return { ...input, lo: mask(lo), hi: mask(hi) };
  },
  ({ rows, plans = 3 }) => ({ bytes: (plans * rows * 3) / 8, operations: plans * rows }),
);

export const run = async ({ lo, hi, plans, index, hashes }: Input) => ({
  mask: (await ops.filterCheck<Tensor>({ lo, hi }, plans, index, { hashes })) as Tensor<'int64'>,
});
