import { readVectors } from '../../io/vectors.js';
import { RetrievalModel } from '../../retrieval/model.js';
import { Interrupt } from '../interrupt.js';
import { type Output, properties, table } from '../output.js';
import { Progress } from '../progress.js';

/** Options of `silverlode tune`. */
export interface TuneFlags {
  device?: string;
  queries: string;
  embeddings?: string;
  recall: number;
  k: number;
  maxCandidates?: number;
  out?: string;
  threads?: number;
}

/**
 * Tunes probes and candidates and writes the model, over itself by default. The recall told is against what the model itself
 * would find in all clusters; with `--embeddings` the true one is told beside it.
 */
export async function runTune(path: string, flags: TuneFlags, output: Output): Promise<void> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const { device, threads, recall, k, maxCandidates, out = path } = flags;
  using progress = new Progress();
  await using model = await RetrievalModel.load(path, { device, threads });
  const read = (path: string, what: string) =>
    readVectors(path, { signal, onProgress: (done, total) => progress.update(what, done, total) });
  const queries = await read(flags.queries, 'queries');
  const embeddings = flags.embeddings === undefined ? undefined : await read(flags.embeddings, 'embeddings');
  const tuned = await model.tune({
    queries,
    embeddings,
    recall,
    k,
    maxCandidates,
    signal,
    onProgress: ({ stage, done, total }) => progress.update(stage, done, total),
  });
  progress.stop();
  await model.save(out, { signal });
  const { tried: _, recall: reached, ...setting } = tuned;
  const against = 'exhaustive int8 search';
  output.result({ path: out, ...tuned, against }, () =>
    [
      table(
        tuned.tried
          .toSorted((a, b) => a.probes - b.probes || (a.candidates ?? 0) - (b.candidates ?? 0))
          .map((step) => ({ ...step })),
      ),
      properties({ path: out, ...setting, against, recall: reached }),
    ].join('\n\n'),
  );
}
