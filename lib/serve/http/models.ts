// What is served: models, versions, statistics, and going back to an earlier version.
import type { FastifyInstance } from 'fastify';
import { freshnessOf, isUpdatable } from '../item_updates.js';
import type { ServedVersion, VersionInfo } from '../served_model.js';
import { type ServiceContext, servedVersion } from './context.js';
import { failures, nameParams, versionSchema } from './schemas.js';

const versionList = {
  200: {
    type: 'object',
    properties: { versions: { type: 'array', items: { $ref: 'Version#' } } },
  },
  ...failures,
} as const;

export function modelRoutes(app: FastifyInstance, context: ServiceContext): void {
  const { hub } = context;
  app.addSchema(versionSchema);

  app.get('/v1/models', { schema: { tags: ['models'], summary: 'all models that are served' } }, async () => ({
    models: hub.names.map((name) => describe(servedVersion(context, name))),
  }));

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name',
    { schema: { tags: ['models'], summary: 'one model', params: nameParams } },
    async ({ params }) => describe(servedVersion(context, params.name)),
  );

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name/versions',
    { schema: { tags: ['models'], summary: 'its versions, oldest first', params: nameParams, response: versionList } },
    async ({ params }) => {
      servedVersion(context, params.name);
      return { versions: hub.versions(params.name).map(withoutPath) };
    },
  );

  app.get<{ Params: { name: string } }>(
    '/v1/models/:name/statistics',
    { schema: { tags: ['models'], summary: 'queue, batches, times and native stages', params: nameParams } },
    async ({ params }) => {
      const { batcher, info } = servedVersion(context, params.name);
      return { version: info.version, ...batcher.statistics(), stages: context.stages.latest(params.name) ?? null };
    },
  );

  if (context.options.changes === false) return;
  app.post<{ Params: { name: string }; Body: { version?: number } | null }>(
    '/v1/models/:name/rollback',
    {
      schema: {
        tags: ['models'],
        summary: 'serve an earlier version again',
        params: nameParams,
        body: {
          type: ['object', 'null'],
          additionalProperties: false,
          properties: { version: { type: 'integer', minimum: 1, description: 'default: the one before' } },
        },
        response: { 200: { $ref: 'Version#' }, ...failures },
      },
    },
    async ({ params, body }) => {
      servedVersion(context, params.name);
      return withoutPath(await hub.rollback(params.name, body?.version));
    },
  );
}

/** What callers need to know to ask. */
function describe({ info, facts, model }: ServedVersion) {
  return {
    ...withoutPath(info),
    items: model.items,
    ids: facts.ids,
    heads: facts.heads,
    tower: facts.tower,
    tasks: facts.tasks,
    weights: facts.weights,
    fields: facts.fields.map(({ name, type, multi }) => ({ name, type, multi })),
    updatable: isUpdatable(model),
    freshness: freshnessOf(model),
  };
}

/** Where files lie is nobody's business outside. */
function withoutPath({ path: _, ...info }: VersionInfo): Omit<VersionInfo, 'path'> {
  return info;
}
