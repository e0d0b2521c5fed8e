// The HTTP service as a fastify app: everything but the port that it listens on.
import { readFileSync } from 'node:fs';
import type * as Swagger from '@fastify/swagger';
import type * as Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type * as Prometheus from 'prom-client';
import { listenTo } from '../hub_listeners.js';
import type { ModelHub } from '../model_hub.js';
import { importPeer } from '../peers.js';
import { requireToken } from './auth.js';
import type { ServiceContext } from './context.js';
import { answerErrors } from './errors.js';
import { healthRoutes, metricsRoute, pageRoute } from './health.js';
import { inferenceRoutes } from './inference_v2.js';
import { itemRoutes } from './items.js';
import { ServiceMetrics } from './metrics.js';
import { modelRoutes } from './models.js';
import { checkServiceOptions, type ServiceLimits, type ServiceOptions } from './options.js';
import { retrieveRoute } from './retrieve.js';
import { errorSchema, resultSchema } from './schemas.js';
import { StageSampler } from './stages.js';
import { openTracing } from './tracing.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on `/readyz` says no, so that balancers look elsewhere; requests are still answered. */
    startDraining(): void;
  }
}

/** Requests whose head or body does not arrive in time are ended. */
const REQUEST_TIMEOUT = 30_000;
const MAX_HEADER_BYTES = 16_384;

/**
 * Builds the service of a hub: retrieve (JSON and binary), models and versions, item updates, health, metrics, the Open Inference
 * Protocol, an OpenAPI document at `/openapi.json` and a page at `/`. Needs `fastify`, `@fastify/swagger` and `prom-client`.
 *
 * The app does not listen yet, and closing it leaves the hub open. Routes of your own can be added before `ready()`.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` for options, and when a package is not installed.
 * @example
 * ```ts
 * const app = await createService(hub, { token: process.env.TOKEN });
 * await app.listen({ port: 8080 });
 * ```
 */
export async function createService(hub: ModelHub, options: ServiceOptions = {}): Promise<FastifyInstance> {
  const limits = checkServiceOptions(options);
  const { fastify } = await importPeer<typeof Fastify>('fastify');
  const swagger = await importPeer<typeof Swagger>('@fastify/swagger');
  const prometheus = await importPeer<typeof Prometheus>('prom-client');

  const app = newApp(fastify, options, limits);
  const metrics = new ServiceMetrics(prometheus, hub);
  const stages = new StageSampler(hub, options.profileEveryMs ?? 10_000, (name, sample) =>
    metrics.profiled(name, sample),
  );
  const context: ServiceContext = {
    hub,
    options,
    limits,
    metrics,
    stages,
    tracing: await openTracing(),
    draining: false,
  };
  const { version } = packageFacts();

  app.decorate('startDraining', () => {
    context.draining = true;
  });
  const detach = [
    listenTo(hub, metrics.events),
    listenTo(hub, {
      version: (info) => app.log.info({ version: info }, 'a version serves'),
      refused: (file, error) => app.log.error({ file, err: error }, 'a model file was refused'),
    }),
  ];
  app.addHook('onClose', async () => {
    for (const each of detach) each();
    await stages.close();
  });
  answerErrors(app);
  if (options.token !== undefined) requireToken(app, options.token);

  await app.register(swagger.default, {
    openapi: {
      openapi: '3.0.3',
      info: { title: 'Silverlode', version, description: 'Recommendation retrieval as one model.' },
      ...(options.token === undefined
        ? {}
        : {
            components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
            security: [{ token: [] }],
          }),
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`) },
  });
  app.addSchema(errorSchema);
  app.addSchema(resultSchema);
  retrieveRoute(app, context);
  modelRoutes(app, context);
  if (options.changes !== false) itemRoutes(app, context);
  healthRoutes(app, context);
  metricsRoute(app, context);
  inferenceRoutes(app, context, version);
  if (options.page !== false) await pageRoute(app);
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app;
}

function newApp(
  fastify: typeof Fastify.fastify,
  { tls, logger = false, loggerInstance }: ServiceOptions,
  { bodyBytes }: ServiceLimits,
): FastifyInstance {
  const shared = {
    ...(loggerInstance ? { loggerInstance } : { logger }),
    bodyLimit: bodyBytes,
    requestTimeout: REQUEST_TIMEOUT,
    forceCloseConnections: 'idle' as const,
    routerOptions: { maxParamLength: 128 },
    // Values are taken as they are: a text is no number, and what is not known is refused rather than dropped.
    ajv: {
      customOptions: {
        removeAdditional: false as const,
        coerceTypes: false as const,
        useDefaults: false,
        allowUnionTypes: true,
      },
    },
  };
  const http = { maxHeaderSize: MAX_HEADER_BYTES };
  const app = (tls
    ? fastify({ ...shared, https: { ...http, ...tls } })
    : fastify({ ...shared, http })) as unknown as FastifyInstance;
  // Response schemas are for the document; what is sent is made by code that is tested against them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  return app;
}

function packageFacts(): { version: string } {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
}
