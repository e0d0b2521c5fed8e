// Integers beyond 2^53 in JSON bodies: schemas validate numbers as fastify reads them, handlers get them as they were written.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { holdsWideIntegers, parseJson } from '../../io/json.js';
import { HttpError } from './errors.js';

/** From now on a handler finds integers beyond 2^53 as bigints in a JSON body. */
export function readIntegersExactly(app: FastifyInstance): void {
  const exact = new WeakMap<FastifyRequest, unknown>();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
    parse(request, text, (error, body) => {
      if (error === null && holdsWideIntegers(text)) {
        try {
          exact.set(request, parseJson(text.replace(/^\uFEFF/, '')));
        } catch (cause) {
          return done(new HttpError(400, 'INVALID_ARGUMENT', (cause as Error).message));
        }
      }
      done(error, body);
    });
  });
  app.addHook('preHandler', async (request) => {
    if (exact.has(request)) request.body = exact.get(request);
  });
}
