// What ties the services of the funnel together: one request in, three requests out, one after another.
import { requireOwn } from '../environment.js';
import { BYTES, serveFunnelPart } from './service.js';

interface Pool {
  request(options: {
    method: 'POST';
    path: string;
    headers: Record<string, string>;
    body: Buffer;
  }): Promise<{ statusCode: number; body: { arrayBuffer(): Promise<ArrayBuffer> } }>;
}

const { Pool } = requireOwn('undici') as { Pool: new (origin: string, options: { connections: number }) => Pool };
const CONNECTIONS = 128;
const [tower, ann, rerank] = process.argv
  .slice(2)
  .map((port) => new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS })) as [Pool, Pool, Pool];
const headers = { 'content-type': BYTES };

async function call(service: Pool, path: string, body: Buffer): Promise<Buffer> {
  const response = await service.request({ method: 'POST', path, headers, body });
  const answer = Buffer.from(await response.body.arrayBuffer());
  if (response.statusCode !== 200) throw new Error(`a service answers ${response.statusCode}: ${answer}`);
  return answer;
}

interface Query {
  filter: string;
  candidates: string;
  probes: string;
}

await serveFunnelPart((app) => {
  // The body: the user's features, float32 [dims]. The answer is that of the reranker.
  app.post<{ Body: Buffer; Querystring: Query }>('/recommend', async ({ body, query }, reply) => {
    const times = [performance.now()];
    const mark = () => times.push(performance.now());
    const embedding = await call(tower, '/', body);
    mark();
    const { filter, candidates, probes } = query;
    const ids = await call(ann, `/search?filter=${filter}&count=${candidates}&probes=${probes}`, embedding);
    mark();
    const best = await call(rerank, '/', Buffer.concat([embedding, ids]));
    mark();
    const hops = ['tower', 'search', 'rerank'].map((name, i) => {
      const [begin, end] = times.slice(i, i + 2) as [number, number];
      return `${name};dur=${(end - begin).toFixed(3)}`;
    });
    reply.header('server-timing', hops.join(', ')).type(BYTES);
    return best;
  });
});
