// What is done to a model from time to time: folding its updates, and writing its file.
import type { FastifyInstance } from 'fastify';
import { freshnessOf } from '../item_updates.js';
import { type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import { describeVersion } from './models.js';
import { failures, nameParams } from './schemas.js';

const saveBody = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    trimJournal: {
      type: 'boolean',
      description: 'drop what the file then holds from the journal; earlier versions are out of reach after that',
    },
  },
} as const;

export function upkeepRoutes(app: FastifyInstance, context: ServiceContext): void {
  const { hub } = context;
  const common = { tags: ['models'], params: nameParams };
  const answer = (description: string) => ({ 200: { description, $ref: 'Model#' }, ...failures });
  type Route<Body = unknown> = { Params: { name: string }; Body: Body };

  app.post<Route>(
    '/v1/models/:name/compact',
    {
      schema: {
        ...common,
        operationId: 'compact',
        summary: 'fold item updates into the published part, while requests and updates go on',
        description: 'The answer comes when that is done; it goes on when the caller does not wait.',
        body: { type: ['object', 'null'], additionalProperties: false, properties: {} },
        response: answer('folded'),
      },
    },
    async ({ params }) => {
      const version = servedVersion(context, params.name);
      const { model, info } = version;
      if (model.compact === undefined)
        throw new HttpError(405, 'INVALID_ARGUMENT', `'${info.name}' takes no item updates`);
      if (freshnessOf(model)?.compaction?.running === 'asked')
        throw new HttpError(409, 'INVALID_ARGUMENT', `'${info.name}' is being compacted already`);
      await model.compact();
      return describeVersion(version);
    },
  );

  app.post<Route<{ trimJournal?: boolean } | null>>(
    '/v1/models/:name/save',
    {
      schema: {
        ...common,
        operationId: 'save',
        summary: 'write the file of the model anew, with all item updates',
        body: saveBody,
        response: answer('written'),
      },
    },
    async ({ params, body }) => {
      servedVersion(context, params.name);
      await hub.save(params.name, body ?? {});
      return describeVersion(servedVersion(context, params.name));
    },
  );
}
