// Swaps two versions of a model over and over while clients ask; every answer is compared with that of a version, and memory is
// printed as it goes, as JSON.
import { join } from 'node:path';
import { publish, RetrievalModel } from '../../dist/index.js';
import { ModelHub } from '../../dist/serve/index.js';

const [, , folder, count] = process.argv;
const swaps = Number(count);
const [ITEMS, DIMS, REQUESTS, CLIENTS, SAMPLES] = [20_000, 32, 64, 16, 20];

const vectors = (length, phase) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase) + Math.cos(i * 0.3));
const requests = Array.from({ length: REQUESTS }, (_, i) => ({
  embedding: vectors(DIMS, i),
  filter: i % 2 ? 'parity:odd' : undefined,
  k: [5, 50, 400][i % 3],
}));
const plain = ({ ids, scores }) => JSON.stringify([ids, [...scores]]);

/** Writes a version and returns what it answers, one by one. */
async function makeVersion(version) {
  const path = join(folder, `${version}.silverlode`);
  const model = await publish({
    items: {
      ids: Int32Array.from({ length: ITEMS }, (_, i) => version * 1_000_000 + i),
      embeddings: { data: vectors(ITEMS * DIMS, version), shape: [ITEMS, DIMS] },
      attributes: { parity: Array.from({ length: ITEMS }, (_, i) => (i % 2 ? 'odd' : 'even')) },
    },
    index: { clusters: 64, probes: 16 },
  });
  await model.save(path);
  await model.close();
  const loaded = await RetrievalModel.load(path);
  const answers = [];
  for (const request of requests) answers.push(plain(await loaded.retrieve(request)));
  await loaded.close();
  return { path, answers };
}

const versions = [await makeVersion(1), await makeVersion(2)];
const hub = new ModelHub({ batching: { maxBatch: 16 } });
await hub.load('books', versions[0].path);
const { bytes } = hub.current('books').info;

let going = true;
let answered = 0;
const wrong = [];
async function client(lane) {
  for (let i = lane; going; i++) {
    const r = i % REQUESTS;
    const answer = plain(await hub.retrieve('books', requests[r]));
    if (!versions.some(({ answers }) => answers[r] === answer)) wrong.push(r);
    answered += 1;
  }
}
const clients = Array.from({ length: CLIENTS }, (_, lane) => client(lane));

const samples = [];
for (let swap = 1; swap <= swaps; swap++) {
  await hub.load('books', versions[swap % 2].path);
  const seen = answered;
  while (answered < seen + 20) await new Promise((resolve) => setImmediate(resolve));
  if (swap % Math.ceil(swaps / SAMPLES) === 0) {
    globalThis.gc();
    samples.push(process.memoryUsage().rss);
  }
}
going = false;
await Promise.all(clients);
const states = hub.versions('books').map(({ state }) => state);
await hub.close();
console.log(JSON.stringify({ answered, wrong: wrong.length, bytes, samples, states }));
