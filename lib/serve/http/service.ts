// The HTTP service as a fastify app: everything but the port that it listens on.
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type * as Swagger from '@fastify/swagger';
import type * as Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { listenTo } from '../hub_listeners.js';
import { collectMetrics } from '../metrics.js';
import type { ModelHub } from '../model_hub.js';
import { importPeer } from '../peers.js';
import { StageSampler } from '../stages.js';
import { requireToken } from './auth.js';
import { takeKnownBodies } from './bodies.js';
import { Connections } from './connections.js';
import type { ServiceContext } from './context.js';
import { answerParserError, errorAnswer, HttpError, noRoute, sendError } from './errors.js';
import { readIntegersExactly } from './exact_integers.js';
import { getRoute } from './get.js';
import { healthRoutes, metricsRoute, pageRoute } from './health.js';
import { inferenceRoutes } from './inference_v2.js';
import { itemRoutes } from './items.js';
import { modelRoutes } from './models.js';
import { openapiOptions } from './openapi.js';
import { checkServiceOptions, type ServiceLimits, type ServiceOptions } from './options.js';
import { retrieveRoute } from './retrieve.js';
import { errorSchema, resultSchema } from './schemas.js';
import { upkeepRoutes } from './upkeep.js';
import { schemaError } from './validation.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Requests for results: every one is counted. */
    retrieves?: boolean;
  }
  interface FastifyInstance {
    /** From now on `/readyz` says no, so that balancers look elsewhere; requests are still answered. */
    startDraining(): void;
  }
}

const MAX_HEADER_BYTES = 16_384;
/** How long an unused connection stays open: longer than balancers keep theirs, so that they are not the ones surprised. */
const KEEP_ALIVE_MS = 72_000;
/** How often late requests are looked for. */
const CHECK_MS = 1000;
const DRAIN_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

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

  const connections = new Connections();
  const app = newApp(fastify, options, limits, connections);
  const metrics = await collectMetrics(hub, { registry: options.registry });
  const stages = new StageSampler(hub, options.profileEveryMs ?? 10_000, (name, sample) =>
    metrics.profiled(name, sample),
  );
  const context: ServiceContext = {
    hub,
    options,
    limits,
    metrics,
    stages,
    reached: new WeakSet(),
    draining: false,
    closing: false,
  };
  const { version } = packageFacts();

  app.decorate('startDraining', () => {
    context.draining = true;
  });
  const detach = listenTo(hub, {
    version: (info) => app.log.info({ version: info }, 'a version serves'),
    refused: (file, error) => app.log.error({ file, err: error }, 'a model file was refused'),
    unfollowed: (name, error) => app.log.error({ model: name, err: error }, 'a model no longer follows its log'),
  });
  app.addHook('onClose', async () => {
    detach();
    metrics.close();
    await stages.close();
  });
  // What is refused before a model sees it is counted here.
  app.addHook<{ Params: { name?: string } }>('onError', async (request, _reply, error) => {
    if (!request.routeOptions.config?.retrieves || context.reached.has(request)) return;
    const { name = '' } = request.params;
    metrics.refused(hub.current(name) ? name : '', errorAnswer(error).body.error.code);
  });
  let calledOff: (() => void) | undefined;
  app.addHook('preClose', async () => {
    context.closing = context.draining = true;
    calledOff = connections.drain(options.drainMs ?? DRAIN_MS);
  });
  app.addHook('onClose', async () => calledOff?.());
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) => sendError(noRoute(), request, reply));
  app.addHook('onRequest', async () => {
    if (context.closing) throw new HttpError(503, 'NOT_READY', 'the service is going away');
  });
  readIntegersExactly(app);
  if (options.token !== undefined) requireToken(app, options.token);
  takeKnownBodies(app, limits.bodyBytes);

  await app.register(swagger.default, openapiOptions(version, options.token !== undefined));
  app.addSchema(errorSchema);
  app.addSchema(resultSchema);
  retrieveRoute(app, context);
  getRoute(app, context);
  modelRoutes(app, context);
  if (options.changes !== false) {
    itemRoutes(app, context);
    upkeepRoutes(app, context);
  }
  healthRoutes(app, context);
  metricsRoute(app, context);
  inferenceRoutes(app, context, version);
  if (options.page !== false) await pageRoute(app);
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app;
}

function newApp(
  fastify: typeof Fastify.fastify,
  { tls, logger = false, loggerInstance, requestTimeoutMs = REQUEST_TIMEOUT_MS }: ServiceOptions,
  { bodyBytes }: ServiceLimits,
  connections: Connections,
): FastifyInstance {
  const http = {
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Node looks for late ones every 30 s by itself.
    connectionsCheckingInterval: Math.min(requestTimeoutMs, CHECK_MS),
  };
  // A name such as localhost stands for several addresses, each with a server of its own.
  const serverFactory = (handler: RequestListener) => {
    const server = tls ? createSecureServer({ ...http, ...tls }, handler) : createServer(http, handler);
    return connections.watch(server).on('clientError', answerParserError);
  };
  const app = fastify({
    ...(loggerInstance ? { loggerInstance } : { logger }),
    serverFactory,
    clientErrorHandler: () => undefined, // the server has its own
    frameworkErrors: sendError,
    schemaErrorFormatter: schemaError,
    bodyLimit: bodyBytes,
    return503OnClosing: false, // by a hook, in the form of all failures
    routerOptions: { maxParamLength: 128 },
    // Values are taken as they are: a text is no number, and what is not known is refused rather than dropped.
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: false,
        useDefaults: false,
        allowUnionTypes: true,
        verbose: true, // errors tell what is known
      },
    },
  }) as unknown as FastifyInstance;
  // Response schemas are for the document; what is sent is made by code that is tested against them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  return app;
}

function packageFacts(): { version: string } {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
}
