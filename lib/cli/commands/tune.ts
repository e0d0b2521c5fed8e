import { readVectors } from '../../io/vectors.js';
import { RetrievalModel } from '../../retrieval/model.js';
import { Interrupt } from '../interrupt.js';
import { type Output, properties, table } from '../output.js';
import { Progress } from '../progress.js';

/** Options of `silverlode tune`. */
export interface TuneFlags {
  device?: string;
  queries: string;
  recall: number;
  k: number;
  maxCandidates?: number;
  out?: string;
  threads?: number;
}

/** Tunes probes and candidates and writes the model, over itself by default. */
export async function runTune(path: string, flags: TuneFlags, output: Output): Promise<void> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const { device, threads, recall, k, maxCandidates, out = path } = flags;
  using progress = new Progress();
  await using model = await RetrievalModel.load(path, { device, threads });
  const onProgress = (done: number, total: number): void => progress.update('queries', done, total);
  const queries = await readVectors(flags.queries, { signal, onProgress });
  const tuned = await model.tune({
    queries,
    recall,
    k,
    maxCandidates,
    signal,
    onProgress: ({ stage, done, total }) => progress.update(stage, done, total),
  });
  progress.stop();
  await model.save(out, { signal });
  const { tried: _, ...setting } = tuned;
  output.result({ path: out, ...tuned }, () =>
    [
      table(
        tuned.tried
          .toSorted((a, b) => a.probes - b.probes || (a.candidates ?? 0) - (b.candidates ?? 0))
          .map((step) => ({ ...step })),
      ),
      properties({ path: out, ...setting }),
    ].join('\n\n'),
  );
}
