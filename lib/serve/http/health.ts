// Probes, metrics, and the page.
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from './context.js';
import { failures } from './schemas.js';

/** Ready means: models are there, and the service is not going away. */
export function isReady({ hub, draining }: ServiceContext): boolean {
  return !draining && hub.names.length > 0;
}

const yesOrNo = (name: string, description: string) => ({
  description,
  type: 'object',
  required: [name],
  properties: { [name]: { type: 'boolean' } },
});

export function healthRoutes(app: FastifyInstance, context: ServiceContext): void {
  const tags = ['health'];
  const live = (operationId: string, summary: string) => ({
    config: { open: true },
    schema: { tags, operationId, summary, response: { 200: yesOrNo('live', 'yes'), ...failures } },
  });
  const readiness = (operationId: string, summary: string) => {
    const response = { 200: yesOrNo('ready', 'yes'), 503: yesOrNo('ready', 'not yet, or no more'), ...failures };
    return { config: { open: true }, schema: { tags, operationId, summary, response } };
  };
  const ready = async (_request: unknown, reply: { code: (status: number) => unknown }) => {
    const isOk = isReady(context);
    if (!isOk) reply.code(503);
    return { ready: isOk };
  };
  app.get('/healthz', live('live', 'the process runs'), async () => ({ live: true }));
  app.get('/readyz', readiness('ready', 'models are loaded and requests are taken'), ready);
  app.get('/v2/health/live', live('serverLive', 'Open Inference Protocol: live'), async () => ({ live: true }));
  app.get('/v2/health/ready', readiness('serverReady', 'Open Inference Protocol: ready'), ready);
}

export function metricsRoute(app: FastifyInstance, { metrics: { registry } }: ServiceContext): void {
  const text = {
    content: { 'text/plain': { schema: { type: 'string' } } },
    description: 'in the format of Prometheus',
  };
  const response = { 200: text, ...failures };
  const schema = { tags: ['health'], operationId: 'metrics', summary: 'Prometheus metrics', response };
  app.get('/metrics', { schema }, async (_, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
}

/** Nothing from elsewhere: scripts and styles of the page are its own, and it talks to this service alone. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

export async function pageRoute(app: FastifyInstance): Promise<void> {
  const html = await readFile(new URL('../page/index.html', import.meta.url), 'utf8');
  app.get('/', { config: { open: true }, schema: { hide: true } }, async (_, reply) =>
    reply.headers(PAGE_HEADERS).type('text/html; charset=utf-8').send(html),
  );
}
