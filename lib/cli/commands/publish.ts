import { constants } from 'node:fs';
import { access, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cutModel } from '../../cluster/cut.js';
import { SilverlodeError } from '../../errors.js';
import { readVectors } from '../../io/vectors.js';
import { OverArch } from '../../nn/over_arch.js';
import { importOnnx } from '../../onnx/index.js';
import type { Metric } from '../../ops/ivf_probe.js';
import type { Activation } from '../../ops/linear.js';
import { type PublishOptions, publish } from '../../retrieval/publish.js';
import { readSafetensors, type TensorMap } from '../../snapshot/state_dict.js';
import { type CatalogueFlags, type Note, readCatalogue } from '../catalogue.js';
import { Interrupt } from '../interrupt.js';
import { type Output, properties } from '../output.js';
import { Progress } from '../progress.js';

/** Options of `silverlode publish`. */
export interface PublishFlags extends CatalogueFlags {
  device?: string;
  threads?: number;
  out: string;
  shards?: number;
  metric: Metric;
  clusters: number | 'auto' | 'flat';
  probes?: number;
  queries?: string;
  tower?: string;
  rerank?: string;
  tasks?: string[];
  activation: Activation;
  rerankEmbeddings: PublishOptions['rerankEmbeddings'];
  value?: string;
  weights?: Record<string, number>;
  seed: number;
}

/** Reads a catalogue, publishes it and writes the model file; interrupted, it leaves nothing behind. */
export async function runPublish(flags: PublishFlags, output: Output): Promise<void> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const started = performance.now();
  await requireFolder(flags.out);
  if (flags.shards !== undefined && (flags.rerank !== undefined || flags.value !== undefined))
    throw new SilverlodeError('INVALID_ARGUMENT', 'shards cannot yet rerank or value: leave out --rerank and --value');
  using progress = new Progress();
  const note: Note = (text) => {
    progress.stop();
    output.note(text);
  };
  const reading = (stage: string) => ({
    signal,
    onProgress: (done: number, total: number): void => progress.update(`reading ${stage}`, done, total),
  });

  const { items, stored } = await readCatalogue(flags, reading, note);
  const { device, threads, seed, metric, clusters, probes, value, weights } = flags;
  const [, dims] = items.embeddings.shape;
  await using model = await publish({
    items,
    stored,
    index: { metric, clusters, probes, ...(flags.shards !== undefined && { rescore: false }) },
    tower: flags.tower === undefined ? undefined : await importOnnx(flags.tower),
    rerank:
      flags.rerank === undefined ? undefined : loadOverArch(flags.rerank, dims, flags.tasks ?? [], flags.activation),
    rerankEmbeddings: flags.rerankEmbeddings,
    value,
    weights,
    queries: flags.queries === undefined ? undefined : await readVectors(flags.queries, reading('queries')),
    device,
    threads,
    seed,
    signal,
    onProgress: ({ stage, done, total, hint }) => {
      if (hint !== undefined) progress.hint(hint);
      progress.update(stage, done, total);
    },
  });
  const file = flags.shards === undefined ? flags.out : `${flags.out}.whole`;
  await model.save(file, { signal });
  const files = flags.shards === undefined ? [file] : await cutInto(flags.out, file, flags.shards, signal);
  progress.stop();

  const described = model.describe();
  const document = {
    path: flags.out,
    items: model.items,
    dims: model.dims,
    metric,
    clusters: described.flat ? 'flat' : described.clusters,
    probes: described.probes,
    fields: Object.keys(items.attributes ?? {}),
    tasks: described.tasks,
    ...(flags.shards !== undefined && { shards: flags.shards }),
    fileBytes: await bytesOf(files),
    seconds: (performance.now() - started) / 1000,
  };
  output.result(document, () => properties(document));
}

/** Shards of a file that is not needed any more then. */
async function cutInto(folder: string, file: string, shards: number, signal: AbortSignal): Promise<string[]> {
  try {
    return await cutModel(file, folder, { shards, signal });
  } finally {
    await rm(file, { force: true });
  }
}

async function bytesOf(files: readonly string[]): Promise<number> {
  const all = await Promise.all(files.map((file) => stat(file)));
  return all.reduce((sum, { size }) => sum + size, 0);
}

/** Found out before the work, not after it. */
async function requireFolder(path: string): Promise<void> {
  const folder = dirname(path);
  await access(folder, constants.W_OK).catch((cause: Error) => {
    throw new SilverlodeError('IO_ERROR', `cannot write to ${folder}: ${cause.message}`, { path }, { cause });
  });
}

/** A network of one head whose sizes follow from its weights. */
function loadOverArch(path: string, dims: number, tasks: readonly string[], activation: Activation): OverArch {
  const state = readSafetensors(path);
  const sizes = layerSizes(state, path);
  const [inputs = 0, ...outputs] = sizes;
  const features = inputs - 3 * dims;
  const fault = (message: string) => new SilverlodeError('SHAPE_MISMATCH', `${path}: ${message}`, { path });
  if (features < 0) throw fault(`layers.0 takes ${inputs} numbers, but user, item and product alone are 3 x ${dims}`);
  if (outputs.at(-1) !== tasks.length) {
    throw fault(`the last layer gives ${outputs.at(-1)} logits for ${tasks.length} tasks (${tasks.join(', ')})`);
  }
  const network = new OverArch({ dims, features, hidden: outputs.slice(0, -1), tasks, activation });
  network.loadStateDict(state);
  return network;
}

/** Inputs of the first layer, then outputs of each. */
function layerSizes(state: TensorMap, path: string): number[] {
  const sizes: number[] = [];
  for (let layer = 0; ; layer++) {
    const weight = state.get(`layers.${layer}.weight`);
    if (!weight) break;
    const [outputs, inputs] = weight.shape;
    if (weight.shape.length !== 2 || !outputs || !inputs) {
      const message = `${path}: layers.${layer}.weight is no matrix`;
      throw new SilverlodeError('SHAPE_MISMATCH', message, { path });
    }
    sizes.push(...(layer === 0 ? [inputs, outputs] : [outputs]));
  }
  if (sizes.length > 0) return sizes;
  const message = `${path} has no tensor 'layers.0.weight'; it has ${[...state.keys()].join(', ')}`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, { path });
}
