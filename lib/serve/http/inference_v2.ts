// Open Inference Protocol, version 2, REST: what inference clients and gateways speak (KServe, Triton, MLServer).
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SilverlodeError } from '../../errors.js';
import type { ServedVersion } from '../served_model.js';
import { answer, disconnectSignal, type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import { JSON_LENGTH, splitBody, toBytes, withData } from './inference_binary.js';
import {
  inferAnswer,
  inferBody,
  modelMetadata,
  modelReady,
  protocolError,
  protocolFailures,
  serverMetadata,
} from './inference_schemas.js';
import { type InferTensor, metadata, toOutputs, toRequests } from './inference_tensors.js';
import { nameParams } from './schemas.js';
import { faultsOf, schemaError } from './validation.js';

interface InferRequest {
  id?: string;
  model_name?: string;
  model_version?: string;
  parameters?: Record<string, unknown>;
  inputs: InferTensor[];
  outputs?: { name: string; parameters?: { binary_data?: boolean } }[];
}

type Route = { Params: { name: string; version?: string } };

const versionParams = {
  ...nameParams,
  required: ['name', 'version'],
  properties: { ...nameParams.properties, version: { type: 'string', pattern: '^[0-9]{1,9}$' } },
} as const;

const OCTETS = 'application/octet-stream';
/** Clients of the protocol say nothing of the type when they send JSON. */
const BODIES = ['application/json', OCTETS, ''];

/** Every route of a model is there twice. */
const BASES = [
  { base: '/v2/models/:name', params: nameParams, which: '' },
  { base: '/v2/models/:name/versions/:version', params: versionParams, which: 'Version' },
] as const;

export function inferenceRoutes(app: FastifyInstance, context: ServiceContext, serverVersion: string): void {
  const tags = ['Open Inference Protocol v2'];
  app.addContentTypeParser(OCTETS, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addSchema(inferBody);
  app.addSchema(inferAnswer);
  app.addSchema(modelMetadata);
  app.addSchema(protocolError);
  const server = { tags, operationId: 'serverMetadata', summary: 'server metadata' };
  app.get('/v2', { schema: { ...server, response: { 200: serverMetadata, ...protocolFailures } } }, async () => ({
    name: 'silverlode',
    version: serverVersion,
    extensions: ['binary_tensor_data'],
  }));

  for (const { base, params, which } of BASES) {
    const described = { description: 'inputs and outputs; -1 stands for any size', $ref: 'ModelMetadata#' };
    const about = { tags, operationId: `modelMetadata${which}`, summary: 'model metadata', params };
    app.get<Route>(
      base,
      { schema: { ...about, response: { 200: described, ...protocolFailures } } },
      async ({ params: given }) => {
        const { info, facts, model } = wanted(context, given);
        const versions = [String(info.version)];
        return { name: info.name, versions, platform: 'silverlode', ...metadata(facts, model.dims) };
      },
    );
    const readiness = { tags, operationId: `modelReady${which}`, summary: 'model readiness', params };
    app.get<Route>(
      `${base}/ready`,
      { schema: { ...readiness, response: { 200: modelReady, ...protocolFailures } } },
      async ({ params: given }) => ({ name: wanted(context, given).info.name, ready: true }),
    );
    app.post<Route>(
      `${base}/infer`,
      {
        config: { retrieves: true, bodies: BODIES },
        onRequest: async ({ headers }) => {
          if (headers['content-type'] === undefined || headers[JSON_LENGTH] !== undefined)
            headers['content-type'] = OCTETS;
        },
        schema: {
          tags,
          operationId: `infer${which}`,
          summary: 'answer a batch of requests',
          description:
            'Inputs: `embedding` FP32 [batch, dims] or [batch, heads, dims], or `user.<input>`; optionally `filter` BYTES, ' +
            '`exclude` [batch, n], `k`, `minScore`, `candidates`, `recall`, `probes`, `count`, `minCandidates`, `exact`, `deadlineMs` and `weight.<name>`, ' +
            '[batch] each, or but for `exclude` as parameters. Binary tensor data is understood.',
          params,
          body: {
            required: true,
            content: {
              'application/json': { schema: { $ref: 'InferRequest#' } },
              [OCTETS]: { schema: { description: 'JSON, then the data of inputs and outputs in binary' } },
            },
          },
          response: { 200: { description: 'outputs', $ref: 'InferResponse#' }, ...protocolFailures },
        },
      },
      async (request, reply) => {
        const version = wanted(context, request.params);
        const { id, parameters = {}, inputs, outputs, ...named } = readInfer(request);
        requireModel(version, named);
        const requests = toRequests(inputs, parameters, version.facts.ids, context.limits);
        const signal = disconnectSignal(reply);
        const answers = await Promise.all(
          requests.map((each, row) =>
            answer(context, version, each, request, signal).catch(inRow(row, requests.length)),
          ),
        );
        const all = toOutputs(
          answers.map(({ result }) => result),
          version.facts,
        );
        const chosen = chooseOutputs(all, outputs, parameters.binary_data_output === true);
        const { info } = version;
        return sendInfer(reply, { model_name: info.name, model_version: String(info.version), id }, chosen);
      },
    );
  }
}

/** The request, with the data of its inputs, from JSON or from binary data. */
function readInfer(request: FastifyRequest): InferRequest {
  const { body, headers } = request;
  if (!Buffer.isBuffer(body)) {
    const json = body as InferRequest;
    return { ...json, inputs: withData(json.inputs, Buffer.alloc(0)) };
  }
  const { json, exact, tail } = splitBody(body, headers[JSON_LENGTH] as string | undefined);
  const validate = request.compileValidationSchema({ $ref: 'InferRequest#' });
  if (!validate(json)) throw schemaError(faultsOf(validate), 'body');
  const whole = exact as InferRequest;
  return { ...whole, inputs: withData(whole.inputs, tail) };
}

/** The body may say again which model it is for. @throws SilverlodeError `INVALID_ARGUMENT` where it says another one. */
function requireModel({ info }: ServedVersion, named: Pick<InferRequest, 'model_name' | 'model_version'>): void {
  const { model_name: name = info.name, model_version: version = String(info.version) } = named;
  if (name === info.name && version === String(info.version)) return;
  const message = `the body is for '${name}' in version ${version}, the path for '${info.name}' in version ${info.version}`;
  throw new SilverlodeError('INVALID_ARGUMENT', message, {
    field: name === info.name ? 'model_version' : 'model_name',
  });
}

/** Says which request of several failed. */
function inRow(row: number, count: number): (error: unknown) => never {
  return (error) => {
    if (count === 1 || !(error instanceof SilverlodeError)) throw error;
    throw new SilverlodeError(error.code, `request ${row}: ${error.message}`, { ...error, request: row });
  };
}

type Chosen = { tensor: InferTensor; isBinary: boolean };

/** @throws SilverlodeError `INVALID_ARGUMENT` for an output that there is not. */
function chooseOutputs(all: readonly InferTensor[], wanted: InferRequest['outputs'] = [], isBinary: boolean): Chosen[] {
  if (wanted.length === 0) return all.map((tensor) => ({ tensor, isBinary }));
  return wanted.map(({ name, parameters }) => {
    const tensor = all.find((each) => each.name === name);
    if (tensor) return { tensor, isBinary: parameters?.binary_data ?? isBinary };
    const known = all.map((each) => each.name).join(', ');
    throw new SilverlodeError('INVALID_ARGUMENT', `there is no output '${name}'; known: ${known}`, { field: name });
  });
}

/** Outputs as JSON, or the JSON and what follows it. */
function sendInfer(reply: FastifyReply, head: object, chosen: readonly Chosen[]): FastifyReply {
  const tails: Buffer[] = [];
  const outputs = chosen.map(({ tensor, isBinary }) => {
    if (!isBinary) return tensor;
    const { data: _, ...described } = tensor;
    const bytes = toBytes(tensor);
    tails.push(bytes);
    return { ...described, parameters: { binary_data_size: bytes.length } };
  });
  if (tails.length === 0) return reply.send({ ...head, outputs });
  const json = Buffer.from(JSON.stringify({ ...head, outputs }));
  return reply
    .header(JSON_LENGTH, json.length)
    .type(OCTETS)
    .send(Buffer.concat([json, ...tails]));
}

/** @throws HttpError 404 for a version that does not serve. */
function wanted(context: ServiceContext, { name, version }: Route['Params']): ServedVersion {
  const served = servedVersion(context, name);
  if (version !== undefined && Number(version) !== served.info.version)
    throw new HttpError(404, 'NOT_FOUND', `version ${version} of '${name}' does not serve`);
  return served;
}
