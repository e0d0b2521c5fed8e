import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { HttpError } from './errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route needs no token. */
    open?: boolean;
  }
}

/** Requires a bearer token everywhere but on open routes, also for routes that do not exist. */
export function requireToken(app: FastifyInstance, token: string): void {
  // Digests have one length, so that comparing them takes the same time whatever was given.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (routeOptions.config?.open) return;
    const [, given = ''] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (!timingSafeEqual(digest(given), expected)) throw new HttpError(401, 'UNAUTHORIZED', 'a valid token is needed');
  });
}
