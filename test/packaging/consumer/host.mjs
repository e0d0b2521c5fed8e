// What a host must be able to do: publish, save, load, a filter, a worker thread, and an exit without a crash.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { publish, RetrievalModel } from 'silverlode';

const folder = mkdtempSync(join(tmpdir(), 'silverlode-host-'));
const file = join(folder, 'letters.silverlode');
const embeddings = { data: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.8, -0.1), shape: [4, 2] };
const attributes = { language: ['en', 'fr', 'en', 'en'] };
const published = await publish({ items: { ids: ['a', 'b', 'c', 'd'], embeddings, attributes } });
await published.save(file);
await published.close();

const model = await RetrievalModel.load(file);
const request = { embedding: Float32Array.of(1, 0), filter: 'language:en', k: 2 };
const { ids } = await model.retrieve(request);
const worker = new Worker(fileURLToPath(new URL('host_worker.mjs', import.meta.url)), { workerData: file });
const fromWorker = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
await worker.terminate();
const later = await model.retrieve(request);
await model.close();
rmSync(folder, { recursive: true });
console.log(JSON.stringify({ ids, fromWorker, later: later.ids }));
