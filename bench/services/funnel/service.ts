// One process of the funnel: a fastify app on a free port, told to the parent. Bodies are bytes.
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';

export const BYTES = 'application/octet-stream';

export async function serveFunnelPart(define: (app: FastifyInstance) => void): Promise<void> {
  const app = fastify();
  app.addContentTypeParser(BYTES, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  define(app);
  await app.listen({ port: 0, host: '127.0.0.1' });
  process.send?.({ port: (app.server.address() as AddressInfo).port });
  process.on('disconnect', () => process.exit());
}

/** float32 out of a body, copied: bodies begin anywhere. */
export const floats = (body: Buffer): Float32Array => new Float32Array(copy(body));

/** int64 out of a body. */
export const integers = (body: Buffer): BigInt64Array => new BigInt64Array(copy(body));

export const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

function copy(body: Buffer): ArrayBuffer {
  return body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer;
}
