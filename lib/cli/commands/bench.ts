import { SilverlodeError } from '../../errors.js';
import { readVectors } from '../../io/vectors.js';
import { devices, resolveDevice } from '../../native/device.js';
import { RetrievalModel } from '../../retrieval/model.js';
import { recallAgainst } from '../../retrieval/tune.js';
import type { RetrieveRequest } from '../../retrieval/types.js';
import { Interrupt } from '../interrupt.js';
import { type Output, properties, table } from '../output.js';
import { Progress } from '../progress.js';

/** Options of `silverlode bench`. */
export interface BenchFlags {
  device?: string;
  threads?: number;
  queries: string;
  embeddings?: string;
  filter?: string;
  k: number;
  probes?: number;
  batches: readonly number[];
  seconds: number;
}

/** Figures of one batch size. */
interface BatchFigures {
  batch: number;
  runs: number;
  p50Ms: number;
  p99Ms: number;
  requestsPerSecond: number;
}

/** Queries of which recall is measured: the exhaustive search is slow on large models. */
const RECALL_QUERIES = 256;

/**
 * Measures a model: latency and throughput per batch size, recall, and the stages of the largest batch beside the read bandwidth
 * measured in the same run. Recall is against exhaustive float32 search where the embeddings are given, else against the search of
 * all clusters, which is int8.
 *
 * @throws SilverlodeError `DEVICE_UNAVAILABLE` on an emulated device, whose times mean nothing; `SHAPE_MISMATCH`.
 */
export async function runBench(path: string, flags: BenchFlags, output: Output): Promise<void> {
  const { threads, filter, k, probes, batches, seconds } = flags;
  const device = devices().find(({ id }) => id === resolveDevice(flags.device));
  if (device?.emulated) {
    throw new SilverlodeError('DEVICE_UNAVAILABLE', `${device.id} is an emulation: its times mean nothing`);
  }
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  using progress = new Progress();
  const maxBatch = Math.max(...batches);
  await using model = await RetrievalModel.load(path, { device: flags.device, threads, maxBatch });
  const { data, shape } = await readVectors(flags.queries, { signal });
  if (shape[1] !== model.dims || shape[0] === 0) {
    const message = `queries have shape [${shape.join(', ')}], the model has ${model.dims} dimensions`;
    throw new SilverlodeError('SHAPE_MISMATCH', message);
  }
  const requests = Array.from({ length: shape[0] }, (_, i): RetrieveRequest => {
    return { embedding: data.subarray(i * model.dims, (i + 1) * model.dims), filter, k, probes };
  });
  const sample = requests.slice(0, RECALL_QUERIES);
  const recall =
    flags.embeddings === undefined
      ? await int8RecallOf(model, sample, signal)
      : await trueRecallOf(model, sample, flags.embeddings, signal);
  const figures: BatchFigures[] = [];
  for (const batch of batches) {
    const onProgress = (done: number) => progress.update(`batches of ${batch}`, done, seconds);
    figures.push(await measureBatch(model, requests, batch, seconds, signal, onProgress));
  }
  const stages = await model.profile(take(requests, 0, maxBatch));
  progress.stop();
  const { variant } = await model.explain(requests[0] as RetrieveRequest);
  const facts = { path, device: device?.id, variant, items: model.items, dims: model.dims, k, ...recall };
  output.result({ ...facts, batches: figures, stages }, () =>
    [
      properties(facts),
      table(figures.map((each) => ({ ...each }))),
      table(stages.map(({ label, op, ...measured }) => ({ stage: label, op, ...measured }))),
    ].join('\n\n'),
  );
}

/** `batch` requests from a list that starts again at its end. */
function take(requests: readonly RetrieveRequest[], first: number, batch: number): RetrieveRequest[] {
  return Array.from({ length: batch }, (_, i) => requests[(first + i) % requests.length] as RetrieveRequest);
}

async function answers(model: RetrievalModel, requests: readonly RetrieveRequest[], signal: AbortSignal) {
  return (await model.retrieve(requests, { signal })).map((result) => {
    if (result instanceof SilverlodeError) throw result;
    return result.ids;
  });
}

async function trueRecallOf(
  model: RetrievalModel,
  requests: readonly RetrieveRequest[],
  path: string,
  signal: AbortSignal,
) {
  const embeddings = await readVectors(path, { signal });
  const { recall, worstTenth, int8Recall } = await model.measureRecall(requests, { embeddings, signal });
  return { recall, against: 'exhaustive float32 search', worstTenth, int8Recall };
}

async function int8RecallOf(model: RetrievalModel, requests: readonly RetrieveRequest[], signal: AbortSignal) {
  const probes = model.describe().clusters;
  const truth = await answers(
    model,
    requests.map((request) => ({ ...request, probes })),
    signal,
  );
  const recall = recallAgainst(truth, await answers(model, requests, signal));
  return { recall, against: 'exhaustive int8 search' };
}

/** Native runs of `batch` requests one after the other for some seconds, after a warm-up. */
async function measureBatch(
  model: RetrievalModel,
  requests: readonly RetrieveRequest[],
  batch: number,
  seconds: number,
  signal: AbortSignal,
  onProgress: (seconds: number) => void,
): Promise<BatchFigures> {
  for (let run = 0; run < 5; run++) await answers(model, take(requests, run * batch, batch), signal);
  const times: number[] = [];
  const begin = performance.now();
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    const some = take(requests, times.length * batch, batch);
    const start = performance.now();
    await answers(model, some, signal);
    times.push(performance.now() - start);
    elapsed = performance.now() - begin;
    onProgress(elapsed / 1000);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const percentile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  const requestsPerSecond = (times.length * batch * 1000) / elapsed;
  return { batch, runs: times.length, p50Ms: percentile(0.5), p99Ms: percentile(0.99), requestsPerSecond };
}
