// What ties the services of the funnel together.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { serveFunnelPart } from './service.js';

const [tower, ann, rerank, candidates] = process.argv.slice(2).map(Number) as [number, number, number, number];
const agent = new Agent({ keepAlive: true, noDelay: true });

function call<Answer>(port: number, body: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ host: '127.0.0.1', port, method: 'POST', path: '/', headers, agent }, (response) => {
      text(response).then((answer) => resolve(JSON.parse(answer)), reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

await serveFunnelPart((app) => {
  app.post<{ Body: { features: number[]; filter: string } }>('/recommend', async ({ body }) => {
    const times = [performance.now()];
    const { embedding } = await call<{ embedding: number[] }>(tower, { features: body.features });
    times.push(performance.now());
    const { ids } = await call<{ ids: number[] }>(ann, { embedding, filter: body.filter, count: candidates });
    times.push(performance.now());
    const answer = await call<object>(rerank, { embedding, ids });
    times.push(performance.now());
    return { ...answer, times: times.slice(1).map((time, i) => time - (times[i] as number)) };
  });
});
