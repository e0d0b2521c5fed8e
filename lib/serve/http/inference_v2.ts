// Open Inference Protocol, version 2, REST: what inference clients and gateways speak (KServe, Triton, MLServer).
import type { FastifyInstance } from 'fastify';
import type { ServedVersion } from '../served_model.js';
import { answer, disconnectSignal, type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import { type InferTensor, metadata, toOutputs, toRequests } from './inference_tensors.js';
import { nameParams } from './schemas.js';

interface InferRequest {
  id?: string;
  parameters?: Record<string, unknown>;
  inputs: InferTensor[];
  outputs?: { name: string }[];
}

type Route = { Params: { name: string; version?: string }; Body: InferRequest };

const params = {
  ...nameParams,
  properties: { ...nameParams.properties, version: { type: 'string', pattern: '^[0-9]{1,9}$' } },
} as const;

const inferBody = {
  type: 'object',
  required: ['inputs'],
  properties: {
    id: { type: 'string', maxLength: 256 },
    parameters: { type: 'object', maxProperties: 256 },
    inputs: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        required: ['name', 'shape', 'datatype', 'data'],
        properties: {
          name: { type: 'string' },
          shape: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'integer', minimum: 0 } },
          datatype: { type: 'string' },
          parameters: { type: 'object' },
          data: { type: 'array' },
        },
      },
    },
    outputs: {
      type: 'array',
      maxItems: 64,
      items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
    },
  },
} as const;

export function inferenceRoutes(app: FastifyInstance, context: ServiceContext, serverVersion: string): void {
  const tags = ['Open Inference Protocol v2'];
  app.get('/v2', { schema: { tags, summary: 'server metadata' } }, async () => ({
    name: 'silverlode',
    version: serverVersion,
    extensions: [],
  }));

  for (const base of ['/v2/models/:name', '/v2/models/:name/versions/:version']) {
    app.get<Route>(base, { schema: { tags, summary: 'model metadata', params } }, async ({ params: given }) => {
      const { info, facts, model } = wanted(context, given);
      const versions = context.hub.versions(info.name).map(({ version }) => String(version));
      return { name: info.name, versions, platform: 'silverlode', ...metadata(facts, model.dims) };
    });
    app.get<Route>(
      `${base}/ready`,
      { schema: { tags, summary: 'model readiness', params } },
      async ({ params: given }) => {
        const { info } = wanted(context, given);
        return { name: info.name, ready: true };
      },
    );
    app.post<Route>(
      `${base}/infer`,
      {
        config: { retrieves: true },
        schema: {
          tags,
          summary: 'answer a batch of requests',
          description:
            'Inputs: `embedding` FP32 [batch, dims] or [batch, heads, dims], or `user.<input>`; optionally `filter` BYTES, `k`, ' +
            '`candidates`, `probes`, `minCandidates`, `exact`, `deadlineMs` and `weight.<name>`, [batch] each, or as parameters.',
          params,
          body: inferBody,
        },
      },
      async (request, reply) => {
        const { id, parameters = {}, inputs, outputs } = request.body;
        const version = wanted(context, request.params);
        const requests = toRequests(inputs, parameters, context.limits);
        const signal = disconnectSignal(reply);
        const answers = await Promise.all(requests.map((each) => answer(context, version, each, request, signal)));
        const all = toOutputs(
          answers.map(({ result }) => result),
          version.facts,
        );
        const chosen = outputs ? all.filter(({ name }) => outputs.some((output) => output.name === name)) : all;
        return { model_name: version.info.name, model_version: String(version.info.version), id, outputs: chosen };
      },
    );
  }
}

/** @throws HttpError 404 for a version that does not serve. */
function wanted(context: ServiceContext, { name, version }: Route['Params']): ServedVersion {
  const served = servedVersion(context, name);
  if (version !== undefined && Number(version) !== served.info.version)
    throw new HttpError(404, 'NOT_FOUND', `version ${version} of '${name}' does not serve`);
  return served;
}
