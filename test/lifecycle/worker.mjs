// A worker thread that loads a model and queries it until it is told to stop, or for ever.
import { parentPort, workerData } from 'node:worker_threads';
import { publish, RetrievalModel } from '../../dist/index.js';

const { path, requests, rounds, given } = workerData;
const model = given ? await publish(given) : await RetrievalModel.load(path);
let answers;
for (let round = 0; round < rounds; round++) {
  const results = await model.retrieve(requests);
  answers = results.map(({ ids, scores }) => [ids, [...scores]]);
  if (round === 0) parentPort.postMessage('running');
}
await model.close();
parentPort.postMessage(answers);
