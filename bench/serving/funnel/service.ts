// One process of the funnel: a fastify app on a free port, told to the parent.
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';

export async function serveFunnelPart(define: (app: FastifyInstance) => void): Promise<void> {
  const app = fastify();
  define(app);
  await app.listen({ port: 0, host: '127.0.0.1' });
  process.send?.({ port: (app.server.address() as AddressInfo).port });
  process.on('disconnect', () => process.exit());
}
