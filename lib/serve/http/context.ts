// What the routes of one service share.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import type { ModelHub } from '../model_hub.js';
import type { ServedVersion } from '../served_model.js';
import { HttpError } from './errors.js';
import type { ServiceMetrics } from './metrics.js';
import type { ServiceLimits, ServiceOptions } from './options.js';
import type { StageSampler } from './stages.js';
import type { Tracing } from './tracing.js';

/** One service. */
export interface ServiceContext {
  readonly hub: ModelHub;
  readonly options: ServiceOptions;
  readonly limits: ServiceLimits;
  readonly metrics: ServiceMetrics;
  readonly tracing: Tracing;
  readonly stages: StageSampler;
  /** Set when the service goes away: `/readyz` says no. */
  draining: boolean;
  /** Set after that: requests that come now are not taken. */
  closing: boolean;
}

/** The version that serves a name. @throws HttpError 404. */
export function servedVersion({ hub }: ServiceContext, name: string): ServedVersion {
  const version = hub.current(name);
  if (version === undefined) throw new HttpError(404, 'NOT_FOUND', `no model is called '${name}'`);
  return version;
}

/** Aborts when the client goes away before its answer. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the client has gone'));
  });
  return controller.signal;
}

/** Milliseconds of one answered request. */
export interface RequestTimes {
  /** From the call to the start of its run. */
  queue: number;
  /** Its run. */
  run: number;
  /** Requests in that run. */
  batch: number;
}

/** Answers one request with everything around it: batching, deadline, disconnect, metrics and span. */
export async function answer(
  context: ServiceContext,
  version: ServedVersion,
  request: RetrieveRequest,
  { headers }: FastifyRequest,
  signal: AbortSignal,
): Promise<{ result: RetrieveResult; times: RequestTimes }> {
  const { metrics, tracing, options } = context;
  const { name } = version.info;
  const limited = { ...request, deadlineMs: request.deadlineMs ?? options.deadlineMs };
  return tracing.span(version.info, headers, async (span) => {
    const started = performance.now();
    const times: RequestTimes = { queue: 0, run: 0, batch: 0 };
    const onStart = (waited: number, batch: number) => {
      Object.assign(times, { queue: waited, batch });
      span.started(waited, batch);
    };
    try {
      const result = await version.retrieve(limited, { signal, onStart });
      times.run = performance.now() - started - times.queue;
      metrics.answered(name, times, result.stats);
      span.answered(result);
      return { result, times };
    } catch (error) {
      metrics.failed(name, error);
      throw error;
    }
  });
}
