// Publishes, saves, loads, queries and disposes small models over and over; prints memory as it goes, as JSON.
import { join } from 'node:path';
import { publish, RetrievalModel } from '../../dist/index.js';

const [, , folder, count] = process.argv;
const cycles = Number(count);
const LANES = 4; // cycles in flight at once
const SAMPLES = 20;

const items = 64;
const dims = 16;
const data = Float32Array.from({ length: items * dims }, (_, i) => Math.sin(i));
const given = {
  items: {
    ids: Array.from({ length: items }, (_, i) => `item ${i}`),
    embeddings: { data, shape: [items, dims] },
    attributes: { language: Array.from({ length: items }, (_, i) => ['en', 'de'][i % 2]) },
  },
  index: { clusters: 4, probes: 2 },
};
const request = { embedding: data.slice(0, dims), filter: 'language:en', k: 5 };
const expected = JSON.stringify(await answer(await publish(given)));

async function answer(model) {
  const { ids, scores } = await model.retrieve(request);
  await model.close();
  return [ids, [...scores]];
}

async function cycle(lane, number) {
  const path = join(folder, `${lane}.silverlode`);
  const model = await publish(given);
  // A flush to disk takes longer than all else, so only some cycles write.
  if (number % 50 < LANES) await model.save(path);
  const published = await answer(model);
  const loaded = await answer(await RetrievalModel.load(path));
  if (JSON.stringify(published) !== expected || JSON.stringify(loaded) !== expected) throw new Error('another answer');
}

const samples = [];
const sample = () => {
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  samples.push({ rss, heapUsed, external });
};
let next = 0;
const started = performance.now();
const perSample = Math.ceil(cycles / SAMPLES);
for (let end = perSample; next < cycles; end += perSample) {
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let number = next++; number < Math.min(end, cycles); number = next++) await cycle(lane, number);
  });
  await Promise.all(lanes);
  next = Math.min(end, cycles);
  sample();
}
console.log(JSON.stringify({ milliseconds: (performance.now() - started) / cycles, samples }));
