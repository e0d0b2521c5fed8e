// Applies updates until it is killed, with saving and compaction in between: crash.mjs PACKAGE MODEL JOURNAL UPDATES SEED
import { readFile } from 'node:fs/promises';
import { deserialize } from 'node:v8';

const [entry, path, journal, file, seed] = process.argv.slice(2);
const { RetrievalModel } = await import(entry);
const updates = deserialize(await readFile(file));
const model = await RetrievalModel.load(path, { journal, threads: 1 });

let state = Number(seed) + 1;
const chance = (share) => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 < share;
};

process.stdout.write('ready\n');
const background = new Set();
const begin = (work) => {
  const done = work.finally(() => background.delete(done));
  background.add(done);
};
for (let next = model.freshness().journal; next < updates.length; ) {
  const batch = updates.slice(next, next + (chance(0.5) ? 1 : 5));
  await Promise.all(batch.map((update) => model.apply(update)));
  next += batch.length;
  process.stdout.write(`${next}\n`);
  if (chance(0.05) && !model.freshness().compacting) begin(model.compact());
  if (chance(0.1) && background.size === 0) begin(model.save(path, { trimJournal: chance(0.5) }));
}
await Promise.all(background);
await model.close();
process.stdout.write('end\n');
