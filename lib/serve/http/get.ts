// POST /v1/models/:name/get: items by their ids.
import type { FastifyInstance } from 'fastify';
import { type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import { type JsonId, jsonItem, parseId } from './json.js';
import { failures, ids, nameParams, names } from './schemas.js';

export function getRoute(app: FastifyInstance, context: ServiceContext): void {
  type Body = { ids: JsonId[]; select?: string[]; vectors?: boolean };
  app.post<{ Params: { name: string }; Body: Body }>(
    '/v1/models/:name/get',
    {
      schema: {
        tags: ['retrieve'],
        operationId: 'getItems',
        summary: 'items by their ids: attributes, feature columns, vectors',
        params: nameParams,
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['ids'],
          properties: {
            ids: ids(context.limits.named, 'ids of the items'),
            select: names,
            vectors: { type: 'boolean', description: 'whether each item has its `vector` besides' },
          },
        },
        response: {
          200: {
            description: 'in the order of the ids; null for an id that no item has',
            type: 'object',
            required: ['items'],
            properties: {
              items: { type: 'array', items: { type: ['object', 'null'], additionalProperties: true } },
            },
          },
          ...failures,
        },
      },
    },
    async ({ params, body }) => {
      const { model, facts, info } = servedVersion(context, params.name);
      if (model.get === undefined)
        throw new HttpError(405, 'INVALID_ARGUMENT', `'${info.name}' has no items to look up`);
      const { ids: given, ...options } = body;
      const items = await model.get(
        given.map((each) => parseId(each, facts.ids)),
        options,
      );
      return { items: items.map((item) => item && jsonItem(item)) };
    },
  );
}
