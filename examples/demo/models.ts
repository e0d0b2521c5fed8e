// The catalogue published three ways. Every model is saved and loaded again: what is measured is what a service would run.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PublishOptions, publish, RetrievalModel } from 'silverlode';
import type { DemoData } from './data.js';
import type { OnProgress } from './progress.js';

/** The models of the demo. */
export interface DemoModels extends AsyncDisposable {
  /** The whole path: tower, filter, search, reranker, value formula. */
  whole: RetrievalModel;
  /** Only filter and search, flat: every row scored. */
  flat: RetrievalModel;
  /** Only filter and search, clustered, with the probes that `publish` chose. */
  ivf: RetrievalModel;
  /** Size of the file of `whole`. */
  modelBytes: number;
  /** Time that publishing `whole` took. */
  publishSeconds: number;
}

export async function publishModels(data: DemoData, onProgress?: OnProgress): Promise<DemoModels> {
  const folder = await mkdtemp(join(tmpdir(), 'silverlode-demo-'));
  const make = async (name: string, options: PublishOptions) => {
    const path = join(folder, `${name}.silverlode`);
    const start = performance.now();
    using published = await publish({
      ...options,
      onProgress: ({ stage, done, total }) => onProgress?.(`publishing ${name}: ${stage}`, done, total),
    });
    const seconds = (performance.now() - start) / 1000;
    await published.save(path);
    return { model: await RetrievalModel.load(path), bytes: (await stat(path)).size, seconds };
  };
  const { ids, embeddings, attributes } = data.items;
  const searchOnly = { ids, embeddings, attributes };
  try {
    const whole = await make('whole', { items: data.items, ...data.modules });
    const flat = await make('flat', { items: searchOnly, index: { clusters: 'flat' } });
    const ivf = await make('ivf', { items: searchOnly, index: { clusters: data.clusters } });
    const models = { whole: whole.model, flat: flat.model, ivf: ivf.model };
    return {
      ...models,
      modelBytes: whole.bytes,
      publishSeconds: whole.seconds,
      async [Symbol.asyncDispose]() {
        await Promise.all(Object.values(models).map((model) => model.close()));
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
