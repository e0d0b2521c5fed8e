// What bodies of requests may be: the content types that a route has schemas for, plain or compressed.
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Content types of its body; default JSON alone. */
    bodies?: readonly string[];
  }
}

const JSON_ALONE: readonly string[] = ['application/json'];

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
};

/**
 * Refuses bodies that no schema has looked at, before they are read, and unpacks compressed ones.
 *
 * @param limit Bytes of a body, packed and unpacked.
 */
export function takeKnownBodies(app: FastifyInstance, limit: number): void {
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request) => {
    const { headers, routeOptions } = request;
    const type = contentType(headers['content-type']);
    const known = routeOptions.config?.bodies ?? JSON_ALONE;
    if (hasBody(request) && routeOptions.schema?.body && !known.includes(type))
      throw new HttpError(
        415,
        'INVALID_ARGUMENT',
        `the body must be ${known.filter(Boolean).join(' or ')}, got ${type || 'no type'}`,
      );
  });
  app.addHook('preParsing', async ({ headers }, _reply, payload) => {
    const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (encoding === 'identity') return payload;
    const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (decoder === undefined)
      throw new HttpError(415, 'INVALID_ARGUMENT', `the body must be plain, gzip or deflate, got ${encoding}`);
    return decoded(payload as IncomingMessage, decoder(), limit);
  });
}

/** `application/json` of `application/json; charset=utf-8`. */
export function contentType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() as string;
}

const hasBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * What comes out of a decoder, up to a limit. Fastify compares the length of what went in with the header of the request. The
 * request itself stays open whatever fails, so that its sender gets an answer.
 */
function decoded(payload: IncomingMessage, decoder: Transform, limit: number): Transform {
  let length = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      length += chunk.length;
      const isTooLarge = length > limit;
      done(isTooLarge ? new HttpError(413, 'LIMIT_EXCEEDED', `the body is longer than ${limit} bytes`) : null, chunk);
    },
  });
  const stream = Object.assign(bounded, { receivedEncodedLength: 0 });
  const fail = (error: Error) => {
    payload.unpipe(decoder).resume();
    decoder.destroy();
    stream.destroy(error);
  };
  payload.on('error', fail).on('data', (chunk: Buffer) => {
    stream.receivedEncodedLength += chunk.length;
  });
  decoder.on('error', ({ message }) =>
    fail(new HttpError(400, 'INVALID_ARGUMENT', `the body cannot be unpacked: ${message}`)),
  );
  stream.on('error', fail);
  return payload.pipe(decoder).pipe(stream);
}
