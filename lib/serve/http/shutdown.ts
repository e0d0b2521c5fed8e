// The end of a service: nothing that was accepted is lost.
import type { FastifyInstance } from 'fastify';
import type { ModelHub } from '../model_hub.js';

/** Options of {@link drain}. */
export interface DrainOptions {
  /** How long `/readyz` says no before connections are refused, in milliseconds, for balancers to notice; default 0. */
  graceMs?: number;
}

/** Stops taking requests, answers those in flight, closes the models. */
export async function drain(app: FastifyInstance, hub: ModelHub, { graceMs = 0 }: DrainOptions = {}): Promise<void> {
  app.startDraining();
  if (graceMs > 0) await new Promise((resolve) => setTimeout(resolve, graceMs));
  await app.close();
  await hub.close();
}

/**
 * Settles when SIGTERM or SIGINT arrives; a second one ends the process as usual.
 *
 * @example
 * ```ts
 * await app.listen({ port: 8080 });
 * await untilSignal();
 * await drain(app, hub);
 * ```
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      resolve(signal);
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  });
}
