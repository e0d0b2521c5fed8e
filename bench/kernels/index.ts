// The suite 'kernels': ops at the sizes that matter on a GPU, timed on the device, beside ceilings measured in the same run.
import { devices, SilverlodeError } from 'silverlode';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';
import { type KernelCase, timeKernel } from './kernel.js';
import { assignCases, copyCase, filterCases, matrixCase, rerankCases, topKCases } from './others.js';
import { scanCases } from './scan.js';

/** A share of the full size, for processors and for a quick look. */
const SMALL = 1 / 256;

const suite: Suite = {
  async *run({ device, quick, filter }: BenchOptions): AsyncGenerator<BenchResult> {
    const facts = devices().find(({ id }) => id === (device === 'cuda' ? 'cuda:0' : device));
    if (facts?.emulated)
      throw new SilverlodeError('DEVICE_UNAVAILABLE', `${facts.id} is an emulation: times mean nothing`);
    const scale = quick || device === 'cpu' ? SMALL : 1;
    const runs = quick ? 5 : 15;
    const time = async (each: KernelCase): Promise<BenchResult> => {
      const times = await timeKernel(each, device, runs);
      const medianMs = times[times.length >> 1] as number;
      const figures = { 'GB/s': each.bytes / medianMs / 1e6, 'Gop/s': each.operations / medianMs / 1e6 };
      return { name: each.name, medianMs, samples: times.length, figures };
    };
    const copy = await time(copyCase(scale));
    const matrix = await time(matrixCase(scale));
    yield copy;
    yield matrix;
    const cases = [scanCases, topKCases, filterCases, rerankCases, assignCases].flatMap((make) => make(scale));
    for (const each of cases) {
      if (!each.name.includes(filter)) continue;
      const result = await time(each);
      const unit = each.bound === 'bandwidth' ? 'GB/s' : 'Gop/s';
      const ceiling = (each.bound === 'bandwidth' ? copy : matrix).figures[unit] as number;
      yield { ...result, figures: { ...result.figures, share: (result.figures[unit] as number) / ceiling } };
    }
  },
};

export default suite;
