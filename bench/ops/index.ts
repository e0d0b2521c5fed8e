// The suite 'ops': every op over the larger cases of its table, from the call in JavaScript to the resolved outputs.
import type { Tensor } from 'silverlode';
import { addon } from '../../lib/native/addon.js';
import type { OpCase } from '../../test/cases/op_case.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

/** What `test/cases/<op>.ts` exports. */
interface CaseTable {
  readonly cases: readonly OpCase<unknown>[];
  readonly run: (input: unknown) => Promise<object>;
}

const suite: Suite = {
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    for (const op of addon().opNames()) {
      const { cases, run } = (await import(`../../test/cases/${op}.js`)) as CaseTable;
      for (const each of cases) {
        const name = `${op} ${each.name}`;
        if (!each.bench || !name.includes(options.filter)) continue;
        const input = each.input();
        const measured = await measure(async () => dispose(await run(input)), options);
        const { bytes, operations } = each.cost();
        const perSecond = (amount: number) => amount / (measured.medianMs * 1e6);
        yield { name, ...measured, figures: { 'GB/s': perSecond(bytes), 'Gop/s': perSecond(operations) } };
      }
    }
  },
};

/** Outputs would otherwise live until the garbage collector, which does not see native memory, comes by. */
function dispose(outputs: object): void {
  for (const output of Object.values(outputs) as Tensor[]) output.dispose();
}

export default suite;
