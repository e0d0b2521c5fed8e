// Item updates: POST, PATCH and DELETE /v1/models/:name/items, for models that take them.
import type { FastifyInstance } from 'fastify';
import {
  deleteItems,
  type ItemFacts,
  type ItemUpdate,
  isUpdatable,
  patchItems,
  type UpdatableModel,
  upsertItems,
} from '../item_updates.js';
import type { ServedVersion } from '../served_model.js';
import { type ServiceContext, servedVersion } from './context.js';
import { HttpError } from './errors.js';
import type { JsonId } from './json.js';
import { failures, nameParams } from './schemas.js';

const MAX_ITEMS = 10_000;

const id = { anyOf: [{ type: 'string' }, { type: 'integer' }] } as const;
const scalar = { type: ['string', 'number', 'boolean', 'null'] } as const;
const list = { type: 'array', items: { type: 'number' }, maxItems: 65_536 } as const;
const features = {
  description: 'one number per feature column, in their order, or numbers by the names of their columns',
  anyOf: [list, { type: 'object', minProperties: 1, maxProperties: 1024, additionalProperties: { type: 'number' } }],
} as const;
const attributes = {
  type: 'object',
  description: 'one value, a list of values, or null per filter field',
  maxProperties: 1024,
  additionalProperties: { anyOf: [scalar, { type: 'array', items: { type: ['string', 'number', 'boolean'] } }] },
} as const;

const itemsOf = (required: readonly string[]) =>
  ({
    type: 'object',
    required: ['items'],
    additionalProperties: false,
    properties: {
      items: {
        type: 'array',
        minItems: 1,
        maxItems: MAX_ITEMS,
        items: {
          type: 'object',
          required,
          additionalProperties: false,
          properties: { id, embedding: list, attributes, features, stored: { description: 'any JSON, for results' } },
        },
      },
    },
  }) as const;

const idsBody = {
  type: 'object',
  required: ['ids'],
  additionalProperties: false,
  properties: { ids: { type: 'array', minItems: 1, maxItems: MAX_ITEMS, items: id } },
} as const;

const done = {
  200: {
    description: 'every later request sees the change',
    type: 'object',
    required: ['accepted', 'durable'],
    properties: {
      accepted: { type: 'integer', description: 'items in the body' },
      durable: { type: 'boolean', description: 'whether the change is in a journal on the disk' },
    },
  },
  ...failures,
} as const;

export function itemRoutes(app: FastifyInstance, context: ServiceContext): void {
  const url = '/v1/models/:name/items';
  type Route<Body> = { Params: { name: string }; Body: Body };
  /** Settles when every later request sees the change, with whether it is durable. */
  const change = (
    name: string,
    kind: string,
    work: (model: UpdatableModel, facts: ItemFacts) => Promise<boolean>,
  ): Promise<boolean> => {
    updatable(servedVersion(context, name));
    return context.hub.change(name, kind, (version) => work(updatable(version), version.facts));
  };
  const common = { tags: ['items'], params: nameParams, response: done };

  app.post<Route<{ items: ItemUpdate[] }>>(
    url,
    {
      schema: {
        ...common,
        operationId: 'putItems',
        summary: 'put items in, new or in place of old ones',
        body: itemsOf(['id', 'embedding']),
      },
    },
    async ({ params, body }) => {
      const durable = await change(params.name, 'upsert', (model, facts) => upsertItems(model, body.items, facts));
      return { accepted: body.items.length, durable };
    },
  );
  app.patch<Route<{ items: ItemUpdate[] }>>(
    url,
    {
      schema: {
        ...common,
        operationId: 'changeItems',
        summary: 'change attributes and features of items',
        body: itemsOf(['id']),
      },
    },
    async ({ params, body }) => {
      const whole = (['embedding', 'stored'] as const).find((field) =>
        body.items.some((item) => item[field] !== undefined),
      );
      if (whole !== undefined)
        throw new HttpError(400, 'INVALID_ARGUMENT', `'${whole}' is changed by POST, with the whole item`);
      const durable = await change(params.name, 'patch', (model, facts) => patchItems(model, body.items, facts));
      return { accepted: body.items.length, durable };
    },
  );
  app.delete<Route<{ ids: JsonId[] }>>(
    url,
    { schema: { ...common, operationId: 'deleteItems', summary: 'take items out, at once', body: idsBody } },
    async ({ params, body }) => {
      const durable = await change(params.name, 'delete', (model, facts) => deleteItems(model, body.ids, facts));
      return { accepted: body.ids.length, durable };
    },
  );
}

/** @throws HttpError 405 for a model without updates. */
function updatable({ model, info }: ServedVersion): UpdatableModel {
  if (isUpdatable(model)) return model;
  throw new HttpError(405, 'INVALID_ARGUMENT', `'${info.name}' takes no item updates`);
}
