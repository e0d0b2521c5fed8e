// Reranker and value formula as a service, in plain JavaScript; item vectors are in its memory.
import { makeTask, type TaskSize } from '../task.js';
import { bestByValue } from '../truth.js';
import { serveFunnelPart } from './service.js';

const task = makeTask(JSON.parse(process.argv[2] as string) as TaskSize);

await serveFunnelPart((app) => {
  app.post<{ Body: { embedding: number[]; ids: number[] } }>('/', async ({ body }) => {
    const best = bestByValue(task, Float32Array.from(body.embedding), body.ids);
    return { ids: best.map(({ id }) => id), scores: best.map(({ score }) => score) };
  });
});
