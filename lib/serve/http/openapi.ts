// The OpenAPI document: what is said of the service as a whole, and what routes cannot say by their schemas.
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

/** Parts of an operation that are looked at here. */
interface Operation {
  requestBody?: { required?: boolean; content: Record<string, { schema: { type?: unknown } }> };
}

/** @param hasToken Whether requests need a bearer token. */
export function openapiOptions(version: string, hasToken: boolean): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Silverlode',
        version,
        description: 'Recommendation retrieval as one model.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } as { name: string },
      },
      servers: [{ url: '/' }],
      security: hasToken ? [{ token: [] }] : [],
      ...(hasToken ? { components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } } } : {}),
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`) },
    transformObject: (document) => {
      const { openapiObject: object } = document as { openapiObject: { paths?: Record<string, object> } };
      for (const path of Object.values(object.paths ?? {}))
        for (const operation of Object.values(path)) describeBody(operation as Operation);
      return object as ReturnType<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>;
    },
  };
}

/** Bodies of other types than JSON are bytes; one that may be null may be missing. */
function describeBody({ requestBody }: Operation): void {
  if (requestBody === undefined) return;
  for (const [type, media] of Object.entries(requestBody.content)) {
    if (type !== 'application/json') media.schema = { ...media.schema, ...{ type: 'string', format: 'binary' } };
    else if (Array.isArray(media.schema.type) && media.schema.type.includes('null')) {
      media.schema.type = 'object';
      requestBody.required = false;
    }
  }
}
