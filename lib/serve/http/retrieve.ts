// POST /v1/models/:name/retrieve
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SilverlodeError } from '../../errors.js';
import type { RetrieveRequest } from '../../retrieval/types.js';
import type { ServedVersion } from '../served_model.js';
import { type BinaryHead, readBinary, splitHeads, splitInputs, writeBinary } from './binary.js';
import { answer, disconnectSignal, type ServiceContext, servedVersion } from './context.js';
import { type ErrorBody, errorAnswer } from './errors.js';
import { fromJson, type JsonRequest, type JsonResult, toJsonResult } from './json.js';
import type { ServiceLimits } from './options.js';
import { BINARY, binaryHeadSchema, failures, nameParams, requestSchema } from './schemas.js';
import { faultsOf, schemaError } from './validation.js';

/** A list of requests as it was validated: per request what is wrong with it. */
const listFaults = new WeakMap<FastifyRequest, (SilverlodeError | undefined)[]>();

export function retrieveRoute(app: FastifyInstance, context: ServiceContext): void {
  const { limits } = context;
  const headSchema = binaryHeadSchema(limits);
  app.addSchema(requestSchema(limits));
  app.addContentTypeParser(BINARY, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  /** A request out of a binary body, in the form of the model. */
  const readBinaryRequest = (given: FastifyRequest, body: Buffer, { facts }: ServedVersion): RetrieveRequest => {
    const { head, exact, embedding } = readBinary(body);
    const validate = given.compileValidationSchema(headSchema);
    if (!validate(head)) throw schemaError(faultsOf(validate), 'head');
    const { heads = 1, inputs, ...rest } = exact as BinaryHead;
    const request = fromJson(rest, facts.ids, limits.filterLength);
    if (inputs !== undefined)
      return { ...request, user: { ...request.user, ...Object.fromEntries(splitInputs(embedding, inputs)) } };
    const isByEmbedding = request.user === undefined && (request.like === undefined || embedding.length > 0);
    return isByEmbedding ? { ...request, embedding: splitHeads(embedding, heads) } : request;
  };

  /** Each of a list succeeds or fails by itself. */
  const answerList = (
    given: FastifyRequest,
    list: readonly JsonRequest[],
    version: ServedVersion,
    signal: AbortSignal,
  ) => {
    const faults = listFaults.get(given) ?? [];
    const one = async (json: JsonRequest, fault: SilverlodeError | undefined): Promise<JsonResult | ErrorBody> => {
      try {
        if (fault) throw fault;
        const request = fromJson(json, version.facts.ids, limits.filterLength);
        return toJsonResult((await answer(context, version, request, given, signal)).result);
      } catch (error) {
        if (fault) context.metrics.refused(version.info.name, fault.code);
        return errorAnswer(error).body;
      }
    };
    return Promise.all(list.map((json, i) => one(json, faults[i])));
  };

  app.post<{ Params: { name: string } }>(
    '/v1/models/:name/retrieve',
    {
      config: { bodies: ['application/json', BINARY], retrieves: true },
      attachValidation: true, // of a list, bad requests fail alone
      // Before the body is read, so that what is shed costs neither parsing nor memory.
      onRequest: async ({ params: { name } }) => {
        const overload = context.hub.current(name)?.batcher.overload;
        if (overload) throw overload;
      },
      preValidation: async (request) => {
        if (Array.isArray(request.body)) listFaults.set(request, checkList(request, request.body, limits));
      },
      schema: {
        tags: ['models'],
        operationId: 'retrieve',
        summary: 'the best items for one user, or for each of several',
        description:
          'Give `embedding` or `user`. A list of requests is answered by a list, in which a bad request is an error in its place. ' +
          'The header `server-timing` tells what waiting and running took. The layout of binary ' +
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
      const { body, validationError } = request;
      const isList = Array.isArray(body);
      if (validationError && !(isList && validationError.validationContext === 'body')) throw validationError;
      const version = servedVersion(context, request.params.name);
      const signal = disconnectSignal(reply);
      reply.header('silverlode-version', String(version.info.version));
      if (isList) return answerList(request, body as JsonRequest[], version, signal);
      const read = Buffer.isBuffer(body)
        ? readBinaryRequest(request, body, version)
        : fromJson(body as JsonRequest, version.facts.ids, limits.filterLength);
      const { result, times } = await answer(context, version, read, request, signal);
      reply.header('server-timing', `queue;dur=${times.queue.toFixed(3)}, run;dur=${times.run.toFixed(3)}`);
      return wantsBinary(request, reply) ? writeBinary(result, version.facts.ids) : toJsonResult(result);
    },
  );
}

const DEFAULT_K = 100;

/** What is wrong with each request of a list. @throws SilverlodeError `LIMIT_EXCEEDED`, `INVALID_ARGUMENT` for the list as a whole. */
function checkList(given: FastifyRequest, list: readonly unknown[], limits: ServiceLimits) {
  const isObject = (each: unknown) => typeof each === 'object' && each !== null && !Array.isArray(each);
  if (list.length === 0 || !list.every(isObject))
    throw new SilverlodeError('INVALID_ARGUMENT', 'a list of requests holds one object or more, and nothing else');
  const longest = list.reduce<number>((most, each) => Math.max(most, resultsOf(each as JsonRequest)), 0);
  if (list.length > limits.inferBatch || list.length * Math.min(longest, limits.k) > limits.results) {
    const message = `${list.length} requests of up to ${longest} results; the limits are ${limits.inferBatch} and ${limits.results} in all`;
    throw new SilverlodeError('LIMIT_EXCEEDED', message);
  }
  const validate = given.compileValidationSchema({ $ref: 'RetrieveRequest#' });
  return list.map((each) => (validate(each) ? undefined : schemaError(faultsOf(validate), 'request')));
}

function wantsBinary({ headers }: FastifyRequest, reply: FastifyReply): boolean {
  const wants = headers.accept?.includes(BINARY) ?? false;
  if (wants) reply.type(BINARY);
  return wants;
}

/** Results that a request wants, before it is checked. */
function resultsOf(request: JsonRequest | null): number {
  const ranked = Array.isArray(request?.rank) ? request.rank.length : 0;
  return Number(request?.k) || ranked || DEFAULT_K;
}
