// What the routes of one service share.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import type { HubMetrics } from '../metrics.js';
import type { ModelHub } from '../model_hub.js';
import type { RequestTimes, ServedVersion } from '../served_model.js';
import type { StageSampler } from '../stages.js';
import { HttpError } from './errors.js';
import type { ServiceLimits, ServiceOptions } from './options.js';

/** One service. */
export interface ServiceContext {
  readonly hub: ModelHub;
  readonly options: ServiceOptions;
  readonly limits: ServiceLimits;
  readonly metrics: HubMetrics;
  readonly stages: StageSampler;
  /** Requests for results that have come as far as a model, which counts what becomes of them. */
  readonly reached: WeakSet<FastifyRequest>;
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

/** Answers one request, with the deadline that the service gives to those without one. */
export async function answer(
  { options, reached }: ServiceContext,
  version: ServedVersion,
  request: RetrieveRequest,
  from: FastifyRequest,
  signal: AbortSignal,
): Promise<{ result: RetrieveResult; times: RequestTimes }> {
  reached.add(from);
  const deadlineMs = request.deadlineMs ?? options.deadlineMs;
  return version.answer({ ...request, deadlineMs }, { signal, trace: from.headers });
}
