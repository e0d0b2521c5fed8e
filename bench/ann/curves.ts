// Recall and speed over probes, single requests and batches, without and with filters.
import { K } from '../data/standard_set.js';
import type { BenchOptions, BenchResult } from '../support/suite.js';
import { type Ask, BATCH, howMany, judged, type Subject, timeOf } from './subject.js';

const PROBES = [4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** With `--quick` every fourth setting, and these filters. */
const QUICK_STEP = 4;
const QUICK_FILTERS = ['', 'p10', 'p01'];

/** One result per filter, probes, call and number of threads. */
export async function* curves(subjects: readonly Subject[], options: BenchOptions): AsyncGenerator<BenchResult> {
  const { set, model } = subjects[0] as Subject;
  const { clusters } = model.describe();
  const below = PROBES.filter((probes) => probes < clusters);
  const efforts = options.quick ? below.filter((_, i) => i % QUICK_STEP === 0) : below;
  const filters = options.quick ? QUICK_FILTERS : ['', ...set.files.filters];
  for (const filter of filters) {
    for (const probes of efforts) yield* atEffort(subjects, { k: K, filter, probes }, options);
  }
}

/** Answers are the same on any number of threads and in any batch, so they are judged once. */
async function* atEffort(subjects: readonly Subject[], asked: Ask, options: BenchOptions): AsyncGenerator<BenchResult> {
  const series = asked.filter || 'no filter';
  let figures: Record<string, number> | undefined;
  for (const subject of subjects) {
    for (const count of [1, BATCH]) {
      const title = `${howMany(count)}, ${subject.threads}`;
      const name = `${title}, ${series}, ${asked.probes} probes`;
      if (!name.includes(options.filter)) continue;
      figures ??= await judged(subject, asked);
      const { times, speed } = await timeOf(subject, count, asked, options);
      yield {
        name,
        ...times,
        figures: { ...figures, 'req/s': speed, probes: asked.probes as number },
        plot: { title: `Silverlode, ${title}`, series, x: 'recall@100', y: 'req/s' },
      };
    }
  }
}
