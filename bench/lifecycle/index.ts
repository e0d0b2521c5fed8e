// The suite 'lifecycle': how long the event loop is held while a model is published, saved, loaded, updated and folded.
import { join } from 'node:path';
import { type LogEntry, publish, RetrievalModel, type Update, type UpsertItems } from 'silverlode';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { ArrayFolder } from '../parts/files.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';

/** Items of the update that is measured, and single ones that come by a log. */
const UPDATED = 50_000;
const FOLLOWED = 20_000;

/** The longest time between two turns of the event loop during `work`, its time in all, and its processor time. */
async function held(work: () => Promise<unknown>): Promise<{ longest: number; took: number; cpu: number }> {
  let [longest, last, isDone] = [0, performance.now(), false];
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const [began, before] = [performance.now(), process.cpuUsage()];
  await work();
  await new Promise(setImmediate);
  isDone = true;
  const { user, system } = process.cpuUsage(before);
  return { longest, took: performance.now() - began, cpu: (user + system) / 1000 };
}

async function* asLog(update: UpsertItems, count: number, dims: number): AsyncGenerator<LogEntry> {
  const { data } = update.embeddings as { data: Float32Array };
  for (let i = 0; i < count; i++) {
    const embeddings = { data: data.slice(i * dims, (i + 1) * dims), shape: [1, dims] as const };
    const attributes = Object.fromEntries(
      Object.entries(update.attributes ?? {}).map(([name, all]) => [name, [all[i]]]),
    );
    const ids = [(update.ids as readonly (string | number)[])[i] as string];
    yield { position: i, update: { type: 'upsert', ids, embeddings, attributes } as Update };
  }
}

const suite: Suite = {
  note:
    'median: the longest time between two turns of the event loop, which is what other requests of the process wait for; goal 20 ms. ' +
    'It holds collections of garbage, which the heap of the caller decides. string ids, three attributes.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const [items, dims] = [options.items ?? (options.quick ? 20_000 : 1_000_000), options.quick ? 16 : 32];
    const updated = Math.min(UPDATED, items / 2);
    const followed = Math.min(FOLLOWED, updated);
    const { embeddings, attributes } = makeCatalogue({ items, dims, queries: 1, users: 1, seed: 1 });
    const { language, tags, price } = attributes;
    const columns = { language, tags, price };
    const ids = Array.from({ length: items }, (_, item) => `item-${item}`);
    const update = {
      ids: ids.slice(0, updated),
      embeddings: { data: embeddings.data.slice(0, updated * dims), shape: [updated, dims] as const },
      attributes: Object.fromEntries(Object.entries(columns).map(([name, all]) => [name, all.slice(0, updated)])),
    } as UpsertItems;
    await using folder = await ArrayFolder.make();
    const file = join(folder.path, 'model.silverlode');
    const load = () => RetrievalModel.load(file, { maxFreshItems: 2 * updated, compaction: false });
    {
      await using published = await publish({ items: { ids, embeddings, attributes: columns }, compaction: false });
      await published.save(file);
    }
    await using model = await load();
    const asked = { embedding: embeddings.data.slice(0, dims), k: 10, exclude: ids.slice(0, 1000) };
    const steps: Record<string, () => Promise<unknown>> = {
      publish: async () => (await publish({ items: { ids, embeddings, attributes: columns } })).close(),
      load: async () => (await load()).close(),
      'first request with 1 000 excluded': () => model.retrieve(asked),
      [`upsert of ${updated}`]: () => model.upsert(update),
      [`attributes of ${updated}`]: () => model.updateAttributes(update.ids, { price: price.slice(0, updated) }),
      save: () => model.save(file),
      compact: () => model.compact(),
      [`follow ${followed} updates`]: () => model.follow(asLog(update, followed, dims)),
      [`delete ${updated}`]: () => model.delete(update.ids),
    };
    for (const [name, work] of Object.entries(steps)) {
      options.signal?.throwIfAborted();
      options.progress?.(`${items} items: ${name}`);
      const { longest, took, cpu } = await held(work);
      const title = `${items} x ${dims}: ${name}`;
      yield { name: title, medianMs: longest, samples: 1, figures: { 'took ms': took, 'cpu ms': cpu } };
    }
  },
};

export default suite;
