// Spans through the OpenTelemetry API alone: whoever runs an SDK sees them, nobody else pays for them.
import type * as OpenTelemetry from '@opentelemetry/api';
import { asError } from '../retrieval/results.js';
import type { RetrieveResult } from '../retrieval/types.js';
import { tryPeer } from './peers.js';
import type { VersionInfo } from './served_model.js';

/** The span of one request. */
export interface RequestSpan {
  started(waited: number, batch: number): void;
  answered(result: RetrieveResult): void;
}

/** Headers, or whatever else a propagator reads a trace from. */
export type TraceCarrier = Readonly<Record<string, unknown>>;

/** Wraps requests in spans. */
export interface Tracing {
  /** @param carrier Where the caller's trace is found, for requests from another process. */
  span<T>(version: VersionInfo, carrier: TraceCarrier | undefined, work: (span: RequestSpan) => Promise<T>): Promise<T>;
}

const NONE: RequestSpan = { started: () => undefined, answered: () => undefined };

export const NO_TRACING: Tracing = { span: (_version, _carrier, work) => work(NONE) };

/** Spans when `@opentelemetry/api` is installed, else nothing. */
export async function openTracing(): Promise<Tracing> {
  const api = await tryPeer<typeof OpenTelemetry>('@opentelemetry/api');
  return api ? new ApiTracing(api) : NO_TRACING;
}

class ApiTracing implements Tracing {
  constructor(private readonly api: typeof OpenTelemetry) {}

  span<T>(
    { name, version }: VersionInfo,
    carrier: TraceCarrier | undefined,
    work: (span: RequestSpan) => Promise<T>,
  ): Promise<T> {
    const { context, propagation, trace, SpanKind, SpanStatusCode } = this.api;
    const active = context.active();
    // Where the HTTP server is traced itself, its span is the parent; else the caller's.
    const isRemote = carrier !== undefined && !trace.getSpan(active);
    const parent = isRemote ? propagation.extract(active, carrier) : active;
    const kind = carrier === undefined ? SpanKind.INTERNAL : SpanKind.SERVER;
    const attributes = { 'silverlode.model': name, 'silverlode.version': version };
    const tracer = trace.getTracer('silverlode');
    return tracer.startActiveSpan('silverlode.retrieve', { kind, attributes }, parent, async (span) => {
      try {
        return await work({
          started: (waited, batch) =>
            span.addEvent('run started', { 'silverlode.wait_ms': waited, 'silverlode.batch': batch }),
          answered: ({ ids, stats }) =>
            span.setAttributes({
              'silverlode.strategy': stats.strategy,
              'silverlode.scanned_rows': stats.scannedRows,
              'silverlode.results': ids.length,
            }),
        });
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: asError(error).code });
        throw error;
      } finally {
        span.end();
      }
    });
  }
}
