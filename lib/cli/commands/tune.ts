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
  out?: string;
  threads?: number;
}

/** Tunes probes and writes the model, over itself by default. */
export async function runTune(path: string, flags: TuneFlags, output: Output): Promise<void> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const { device, threads, recall, k, out = path } = flags;
  using progress = new Progress();
  await using model = await RetrievalModel.load(path, { device, threads });
  const onProgress = (done: number, total: number): void => progress.update('queries', done, total);
  const queries = await readVectors(flags.queries, { signal, onProgress });
  progress.stop();
  const tuned = await model.tune({ queries, recall, k, signal });
  await model.save(out, { signal });
  output.result({ path: out, ...tuned }, () =>
    [
      table(tuned.tried.toSorted((a, b) => a.probes - b.probes)),
      properties({ path: out, probes: tuned.probes, recall: tuned.recall }),
    ].join('\n\n'),
  );
}
