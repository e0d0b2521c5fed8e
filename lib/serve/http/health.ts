// Probes, metrics, and the page.
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { ServiceContext } from './context.js';

/** Ready means: models are there, and the service is not going away. */
export function isReady({ hub, draining }: ServiceContext): boolean {
  return !draining && hub.names.length > 0;
}

export function healthRoutes(app: FastifyInstance, context: ServiceContext): void {
  const probe = (summary: string) => ({ config: { open: true }, schema: { tags: ['health'], summary } });
  const ready = async (_request: unknown, reply: { code: (status: number) => unknown }) => {
    const isOk = isReady(context);
    if (!isOk) reply.code(503);
    return { ready: isOk };
  };
  app.get('/healthz', probe('the process runs'), async () => ({ live: true }));
  app.get('/readyz', probe('models are loaded and requests are taken'), ready);
  app.get('/v2/health/live', probe('Open Inference Protocol: live'), async () => ({ live: true }));
  app.get('/v2/health/ready', probe('Open Inference Protocol: ready'), ready);
}

export function metricsRoute(app: FastifyInstance, { metrics: { registry } }: ServiceContext): void {
  app.get('/metrics', { schema: { tags: ['health'], summary: 'Prometheus metrics' } }, async (_, reply) => {
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
