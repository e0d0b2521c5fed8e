// A model cut into shards: models of a part of the items each, with the centroids, dictionaries' types and rows of the whole.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { requireKnown, SilverlodeError } from '../errors.js';
import { Progress } from '../index/progress.js';
import type { NativeDevice } from '../native/addon.js';
import { onOwnDevice } from '../native/device.js';
import type { Capture } from '../retrieval/fresh/capture.js';
import { assemble, type Sources } from '../retrieval/fresh/fold.js';
import { CatalogueIds } from '../retrieval/item_ids.js';
import { MainSegment, requireTensor } from '../retrieval/main_segment.js';
import { type Manifest, parseManifest, type ShardFacts } from '../retrieval/manifest.js';
import { Version } from '../retrieval/version.js';
import { readModelFile, writeModelFile } from '../snapshot/model_file.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { SHARD_ORDINALS, shardPath } from './shard_file.js';

const MOST_SHARDS = 1024;
/** Nothing of these is run here. */
const LIMITS = { maxBatch: 1, maxK: 1, maxCandidates: 1 };

export interface CutOptions {
  /** 1 to 1 024, at most one per item. */
  shards: number;
  signal?: AbortSignal;
}

/**
 * Cuts a model file into shards, `shard-I-of-N.silverlode` in `folder`. Every shard has the same clusters, and of each cluster the
 * same share: items are dealt one by one in the order of their rows. Rows keep their int8 values, so scores are those of the whole.
 *
 * @returns Paths of the files.
 * @throws SilverlodeError `INVALID_ARGUMENT`: models that rerank, value or rescore, and models with updates, which `compact()`
 * folds; `IO_ERROR`, `CORRUPT_FILE`, `ABORTED`.
 * @example
 * ```ts
 * await model.save('books.silverlode');
 * await cutModel('books.silverlode', 'books', { shards: 4 });
 * ```
 */
export async function cutModel(path: string, folder: string, options: CutOptions): Promise<string[]> {
  requireKnown('cut options', options, ['shards', 'signal']);
  const { shards, signal } = options;
  if (!Number.isInteger(shards) || shards < 1 || shards > MOST_SHARDS)
    throw invalid(`shards must be an integer from 1 to ${MOST_SHARDS}, got ${String(shards)}`);
  return onOwnDevice(async (device) => {
    const captured = await openWhole(device, path, shards);
    const version = `${await digestOf(path)}-${shards}`;
    await mkdir(folder, { recursive: true }).catch((cause: Error) => {
      throw new SilverlodeError('IO_ERROR', `cannot make ${folder}: ${cause.message}`, { path: folder }, { cause });
    });
    const paths: string[] = [];
    try {
      for (let index = 1; index <= shards; index++) {
        const { tensors, manifest, items } = await cutOne(captured, index, shards, signal);
        const { updates: _none, ...facts } = manifest;
        const shard: ShardFacts = { index, of: shards, version, items };
        const json = new TextEncoder().encode(JSON.stringify({ ...facts, shard }));
        const out = shardPath(folder, index, shards);
        await writeModelFile(device, out, tensors, json, signal);
        for (const each of tensors.values()) each.dispose();
        paths.push(out);
      }
    } finally {
      captured.version.main.release();
    }
    return paths;
  });
}

async function openWhole(device: NativeDevice, path: string, shards: number): Promise<Capture> {
  const tensors = await readModelFile(device, path, true);
  const manifest = parseManifest(requireTensor(tensors, 'manifest').view() as Uint8Array);
  requireWhole(manifest, shards, path);
  const ids = CatalogueIds.restore(manifest.ids, tensors, manifest.items);
  const main = new MainSegment({ manifest, tensors, ids }, LIMITS, device);
  const fields = [...main.eligible.schema.fields.values()].map(({ name, type, multi }) => ({ name, type, multi }));
  const version = new Version(0, main, manifest.items);
  const none = { fresh: new Map(), rows: new Int32Array(0), ids: [], attributes: [], stored: [] };
  return { version, main: tensors, ...none, fields };
}

function requireWhole(manifest: Manifest, shards: number, path: string): void {
  const { items, scored, rescored, updates, shard } = manifest;
  if (shard !== undefined) throw invalid(`${path} is a shard already`);
  if (scored || rescored)
    throw invalid(`${path} ${scored ? 'reranks or values' : 'rescores'} its candidates, which shards cannot yet do`);
  if (updates !== undefined && (updates.items > 0 || updates.position !== undefined))
    throw invalid(`${path} holds updates: compact the model, and save it again`);
  if (shards > items) throw invalid(`${items} items cannot be cut into ${shards} shards`);
}

/** The items of one shard, in their order, with the clusters that they have. */
async function cutOne(captured: Capture, index: number, of: number, signal: AbortSignal | undefined) {
  const { main } = captured.version;
  const rowItems = main.tensor('index.ordinals').view() as Int32Array;
  const begin = main.tensor('index.clusterBegin').view() as Int32Array;
  const live = main.tensor('index.live').view() as BigInt64Array;
  const own: { ordinal: number; cluster: number }[] = [];
  const sizes = new Float32Array(begin.length - 1);
  let dealt = 0;
  for (let cluster = 0; cluster + 1 < begin.length; cluster++) {
    for (let row = begin[cluster] as number; row < (begin[cluster + 1] as number); row++) {
      const isLive = ((live[row >> 6] as bigint) >> BigInt(row & 63)) & 1n;
      if (isLive === 0n || dealt++ % of !== index - 1) continue;
      own.push({ ordinal: rowItems[row] as number, cluster });
      sizes[cluster] = (sizes[cluster] as number) + 1;
    }
  }
  if (own.length === 0) throw invalid(`${dealt} items cannot be cut into ${of} shards`);
  own.sort((a, b) => a.ordinal - b.ordinal);
  const ordinals = Int32Array.from(own, ({ ordinal }) => ordinal);
  const rows = ordinals.map((ordinal) => main.rowOf[ordinal] as number);
  const sources: Sources = { ordinals, rows, main: ordinals.length };
  const stats = captured.main.get('index.clusterStats');
  const clustered = {
    clusters: Int32Array.from(own, ({ cluster }) => cluster),
    tensors: { 'index.clusterStats': stats && withSizes(stats, sizes) },
  };
  const parts = await assemble(captured, sources, clustered, new Progress(undefined, signal), { signal });
  parts.tensors.set(SHARD_ORDINALS, tensor(ordinals) as Tensor);
  return { ...parts, items: dealt };
}

/** What is known of the clusters, for a shard that holds so many rows of each: the last row of `clusterStats`. */
function withSizes(stats: Tensor, sizes: Float32Array): Tensor {
  const values = Float32Array.from(stats.view() as Float32Array);
  values.set(sizes, values.length - sizes.length);
  return tensor(values, { shape: stats.shape }) as Tensor;
}

/** Tells catalogues apart. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex').slice(0, 16);
}

function invalid(message: string): SilverlodeError {
  return new SilverlodeError('INVALID_ARGUMENT', message);
}
