// Silverlode as an engine: whole `retrieveSync` calls, as those of its peers wait too, `retrieveBatch` for batches; the model is
// loaded from its file.
import { join } from 'node:path';
import { publish, RetrievalModel, readSafetensors } from 'silverlode';
import type { LoadedSet } from '../../data/set_files.js';
import type { BuildCommand, ClusterCommand, OpenCommand, RunCommand } from '../protocol.js';
import type { Adapter, Search, Timed } from './adapter.js';

const FILE = 'model.silverlode';
const CLUSTERED_FROM = 50_000;

/** As `publish` takes items. */
function itemsOf({ items, dims, rows }: LoadedSet) {
  return {
    ids: Int32Array.from({ length: items }, (_, item) => item),
    embeddings: { data: rows, shape: [items, dims] },
  };
}

export class SilverlodeAdapter implements Adapter {
  #about = 'silverlode';
  #path = '';
  #set!: LoadedSet;
  /** By number of threads. */
  readonly #models = new Map<number, RetrievalModel>();

  about(): string {
    return this.#about;
  }

  async build(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    const attributes: Record<string, boolean[]> = {};
    for (const filter of set.files.filters)
      attributes[filter] = Array.from(await set.mask(filter), (byte) => byte === 1);
    // 'auto' would not cluster a small set.
    const clusters = set.items < CLUSTERED_FROM ? Math.round(Math.sqrt(set.items)) : 'auto';
    await using model = await publish({ items: { ...itemsOf(set), attributes }, index: { clusters } });
    this.#about = `silverlode, ${model.describe().clusters} clusters`;
    await model.save(join(folder, FILE));
  }

  async load(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    this.#set = set;
    this.#path = join(folder, FILE);
    await (await this.#model(1)).retrieve({ embedding: set.query(0) });
  }

  async #model(threads: number): Promise<RetrievalModel> {
    const known = this.#models.get(threads);
    if (known !== undefined) return known;
    const model = await RetrievalModel.load(this.#path, { threads });
    this.#models.set(threads, model);
    return model;
  }

  async search({ mode, threads, filter, effort, k }: RunCommand): Promise<Search<unknown>> {
    const model = await this.#model(threads);
    const set = this.#set;
    const text = filter === '' ? undefined : `${filter}:true`;
    return mode === 'single'
      ? single(model, set, { ...effort, k, filter: text })
      : batches(model, set, effort, k, text);
  }

  open(set: LoadedSet, { folder, how, k }: OpenCommand): Timed<void> {
    let model: RetrievalModel;
    return {
      work: async () => {
        model = await RetrievalModel.load(join(folder, FILE), { verify: how === 'verified' });
        await model.retrieve({ embedding: set.query(0), k, probes: 32 });
      },
      finish: () => model.close(),
    };
  }

  cluster(set: LoadedSet, { clusters, threads, assignmentsFile }: ClusterCommand): Timed<Int32Array> {
    const items = itemsOf(set);
    let model: RetrievalModel;
    return {
      work: async () => {
        model = await publish({ items, index: { clusters, probes: 1 }, threads });
      },
      finish: async () => {
        const path = `${assignmentsFile}.silverlode`;
        await model.save(path);
        await model.close();
        return assignmentsOf(path, set.items);
      },
    };
  }
}

function single(
  model: RetrievalModel,
  set: LoadedSet,
  settings: { k: number; filter: string | undefined },
): Search<{ ids: readonly unknown[] }> {
  return {
    ask: (first) => model.retrieveSync({ embedding: set.query(first), ...settings }),
    ids: ({ ids }) => [ids as number[]],
  };
}

function batches(
  model: RetrievalModel,
  set: LoadedSet,
  effort: object,
  k: number,
  filter: string | undefined,
): Search<{ ids: ArrayLike<unknown>; offsets: Int32Array }> {
  const { dims, queries, files } = set;
  return {
    ask: (first, count) => {
      const row = first % files.queries; // a multiple of the batch, so that a batch never wraps
      const embeddings = queries.subarray(row * dims, (row + count) * dims);
      const filters = filter === undefined ? undefined : Array<string>(count).fill(filter);
      return model.retrieveBatch({ embeddings, count, k, filters, ...effort });
    },
    ids: ({ ids, offsets }) =>
      Array.from({ length: offsets.length - 1 }, (_, query) =>
        (ids as Int32Array).subarray(offsets[query], offsets[query + 1]),
      ),
  };
}

/** The cluster of each item, from the rows of a model file: row r belongs to the cluster whose range holds it. */
async function assignmentsOf(path: string, items: number): Promise<Int32Array> {
  const tensors = await readSafetensors(path);
  const ordinals = tensors.get('index.ordinals')?.data as Int32Array;
  const begin = tensors.get('index.clusterBegin')?.data as Int32Array;
  const assignments = new Int32Array(items);
  for (let cluster = 0; cluster + 1 < begin.length; cluster++) {
    for (const ordinal of ordinals.subarray(begin[cluster], begin[cluster + 1]))
      if (ordinal >= 0) assignments[ordinal] = cluster;
  }
  return assignments;
}
