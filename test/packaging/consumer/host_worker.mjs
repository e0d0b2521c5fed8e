import { parentPort, workerData } from 'node:worker_threads';
import { RetrievalModel } from 'silverlode';

const model = await RetrievalModel.load(workerData);
const { ids } = await model.retrieve({ embedding: Float32Array.of(0, 1), filter: 'NOT language:fr', k: 1 });
parentPort.postMessage(ids);
