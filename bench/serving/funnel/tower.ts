// The user tower as a service, in plain JavaScript.
import { forward } from '../network.js';
import { makeTask, type TaskSize } from '../task.js';
import { serveFunnelPart } from './service.js';

const { tower } = makeTask(JSON.parse(process.argv[2] as string) as TaskSize);

await serveFunnelPart((app) => {
  app.post<{ Body: { features: number[] } }>('/', async ({ body }) => ({
    embedding: Array.from(forward(tower, Float32Array.from(body.features))),
  }));
});
