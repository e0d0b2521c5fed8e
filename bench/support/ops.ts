// Benchmarks of single ops over the larger cases of their tables.
import type { Tensor } from 'silverlode';
import type { OpCase } from '../../test/cases/op_case.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from './suite.js';

/** The suite of one op: `run` is timed from JavaScript to the resolved outputs. */
export function opSuite<Input>(
  op: string,
  cases: readonly OpCase<Input>[],
  run: (input: Input) => Promise<object>,
): Suite {
  return {
    async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
      for (const each of cases) {
        const name = `${op} ${each.name}`;
        if (!each.bench || !name.includes(options.filter)) continue;
        const input = each.input();
        const measured = await measure(async () => dispose(await run(input)), options);
        const { bytes, operations } = each.cost();
        const perSecond = (amount: number) => amount / (measured.medianMs * 1e6);
        yield { name, ...measured, figures: { 'GB/s': perSecond(bytes), 'Gop/s': perSecond(operations) } };
      }
    },
  };
}

/** Outputs would otherwise live until the garbage collector, which does not see native memory, comes by. */
function dispose(outputs: object): void {
  for (const output of Object.values(outputs) as Tensor[]) output.dispose();
}
