// POST /v1/models/:name/retrieve
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RetrieveRequest } from '../../retrieval/types.js';
import type { ServedVersion } from '../served_model.js';
import { type BinaryHead, readBinary, splitHeads, splitInputs, writeBinary } from './binary.js';
import { answer, disconnectSignal, type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import { fromJson, type JsonRequest, toJsonResult } from './json.js';
import { BINARY, binaryHeadSchema, failures, nameParams, requestSchema } from './schemas.js';

export function retrieveRoute(app: FastifyInstance, context: ServiceContext): void {
  const { limits } = context;
  const headSchema = binaryHeadSchema(limits);
  app.addSchema(requestSchema(limits));
  app.addContentTypeParser(BINARY, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  /** A request in either form, in the form of the model. */
  const read = (given: FastifyRequest, { facts }: ServedVersion): RetrieveRequest => {
    const { body } = given;
    if (!Buffer.isBuffer(body)) return fromJson(body as JsonRequest, facts.ids, limits.filterLength);
    const { head, exact, embedding } = readBinary(body);
    const validate = given.compileValidationSchema(headSchema);
    if (!validate(head)) throw new HttpError(400, 'INVALID_ARGUMENT', headFault(validate));
    const { heads = 1, inputs, ...rest } = exact as BinaryHead;
    const request = fromJson(rest, facts.ids, limits.filterLength);
    if (inputs !== undefined)
      return { ...request, user: { ...request.user, ...Object.fromEntries(splitInputs(embedding, inputs)) } };
    return request.user === undefined ? { ...request, embedding: splitHeads(embedding, heads) } : request;
  };

  app.post<{ Params: { name: string } }>(
    '/v1/models/:name/retrieve',
    {
      config: { bodies: ['application/json', BINARY], retrieves: true },
      // Before the body is read, so that what is shed costs neither parsing nor memory.
      onRequest: async ({ params: { name } }) => {
        const overload = context.hub.current(name)?.batcher.overload;
        if (overload) throw overload;
      },
      schema: {
        tags: ['models'],
        summary: 'the best items for one user',
        description:
          'Give `embedding` or `user`. The header `server-timing` tells what waiting and running took. The layout of binary ' +
          'bodies: uint32 length of the head, the head as JSON, zeros up to a multiple of 8, then the embedding as float32 (or inputs of the tower, whose lengths `inputs` tells); the ' +
          'answer to `accept: application/x-silverlode` likewise: head, int64 ids, float32 scores, float32 logits per task.',
        params: nameParams,
        body: {
          required: true,
          content: {
            'application/json': { schema: { $ref: 'RetrieveRequest#' } },
            [BINARY]: { schema: { description: 'see above' } },
          },
        },
        response: {
          200: { description: 'results, best first', $ref: 'RetrieveResult#' },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const version = servedVersion(context, request.params.name);
      const { result, times } = await answer(
        context,
        version,
        read(request, version),
        request,
        disconnectSignal(reply),
      );
      reply.header('server-timing', `queue;dur=${times.queue.toFixed(3)}, run;dur=${times.run.toFixed(3)}`);
      reply.header('silverlode-version', String(version.info.version));
      return wantsBinary(request, reply) ? writeBinary(result, version.facts.ids) : toJsonResult(result);
    },
  );
}

function wantsBinary({ headers }: FastifyRequest, reply: FastifyReply): boolean {
  const wants = headers.accept?.includes(BINARY) ?? false;
  if (wants) reply.type(BINARY);
  return wants;
}

/** What ajv found, on the function that found it. */
function headFault(validate: object): string {
  const [first] = (validate as { errors?: { instancePath: string; message?: string }[] }).errors ?? [];
  return `the head of the body is wrong: ${first ? `${first.instancePath} ${first.message}` : 'it does not fit the schema'}`;
}
