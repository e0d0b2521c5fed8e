// What is served: models, versions, statistics, and going back to an earlier version.
import type { FastifyInstance } from 'fastify';
import { freshnessOf, isUpdatable } from '../item_updates.js';
import type { ServedVersion, VersionInfo } from '../served_model.js';
import { type ServiceContext, servedVersion } from './context.js';
import { failures, modelSchema, nameParams, statisticsSchema, versionSchema } from './schemas.js';

const versionList = {
  200: {
    description: 'versions',
    type: 'object',
    required: ['versions'],
    properties: { versions: { type: 'array', items: { $ref: 'Version#' } } },
  },
  ...failures,
} as const;

const modelList = {
  200: {
    description: 'models',
    type: 'object',
    required: ['models'],
    properties: { models: { type: 'array', items: { $ref: 'Model#' } } },
  },
  ...failures,
} as const;

export function modelRoutes(app: FastifyInstance, context: ServiceContext): void {
  const { hub } = context;
  app.addSchema(versionSchema);
  app.addSchema(modelSchema);
  app.addSchema(statisticsSchema);
  const tags = ['models'];
  const one = { tags, params: nameParams };

  app.get(
    '/v1/models',
    { schema: { tags, operationId: 'listModels', summary: 'all models that are served', response: modelList } },
    async () => ({
      models: hub.names.map((name) => describeVersion(servedVersion(context, name))),
    }),
  );

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name',
    {
      schema: {
        ...one,
        operationId: 'getModel',
        summary: 'one model',
        response: { 200: { description: 'the model', $ref: 'Model#' }, ...failures },
      },
    },
    async ({ params }) => describeVersion(servedVersion(context, params.name)),
  );

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name/versions',
    { schema: { ...one, operationId: 'listVersions', summary: 'its versions, oldest first', response: versionList } },
    async ({ params }) => {
      servedVersion(context, params.name);
      return { versions: hub.versions(params.name).map(withoutPath) };
    },
  );

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name/statistics',
    {
      schema: {
        ...one,
        operationId: 'getStatistics',
        summary: 'queue, batches, times and native stages',
        response: { 200: { description: 'since the version serves', $ref: 'Statistics#' }, ...failures },
      },
    },
    async ({ params }) => {
      const { batcher, info } = servedVersion(context, params.name);
      return { version: info.version, ...batcher.statistics(), stages: context.stages.latest(params.name) ?? null };
    },
  );

  if (context.options.changes === false) return;
  type RollbackBody = { version?: number; discardUpdates?: boolean } | null;
  app.post<{ Params: { name: string }; Body: RollbackBody }>(
    '/v1/models/:name/rollback',
    {
      schema: {
        ...one,
        operationId: 'rollback',
        summary: 'serve an earlier version again',
        body: {
          type: ['object', 'null'],
          additionalProperties: false,
          properties: {
            version: { type: 'integer', minimum: 1, description: 'default: the one before' },
            discardUpdates: { type: 'boolean', description: 'lose updates that are in no journal; else refused' },
          },
        },
        response: { 200: { description: 'it serves', $ref: 'Version#' }, ...failures },
      },
    },
    async ({ params, body }) => {
      servedVersion(context, params.name);
      const { version, discardUpdates } = body ?? {};
      return withoutPath(await hub.rollback(params.name, version, { discardUpdates }));
    },
  );
}

/** What callers need to know to ask. */
export function describeVersion({ info, facts, model }: ServedVersion) {
  return {
    ...withoutPath(info),
    items: model.items,
    ids: facts.ids,
    heads: facts.heads,
    tower: facts.tower,
    tasks: facts.tasks,
    weights: facts.weights,
    columns: facts.columns,
    fields: facts.fields.map(({ name, type, multi }) => ({ name, type, multi })),
    updatable: isUpdatable(model),
    freshness: freshnessOf(model),
  };
}

/** Where files lie is nobody's business outside. */
function withoutPath({ path: _, ...info }: VersionInfo): Omit<VersionInfo, 'path'> {
  return info;
}
