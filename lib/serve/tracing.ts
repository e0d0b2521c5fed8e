// Spans through the OpenTelemetry API alone: whoever runs an SDK sees them, nobody else pays for them.
import type { IncomingHttpHeaders } from 'node:http';
import type * as OpenTelemetry from '@opentelemetry/api';
import { asError } from '../../retrieval/results.js';
import type { RetrieveResult } from '../../retrieval/types.js';
import { tryPeer } from '../peers.js';
import type { VersionInfo } from '../served_model.js';

/** The span of one request. */
export interface RequestSpan {
  started(waited: number, batch: number): void;
  answered(result: RetrieveResult): void;
}

/** Wraps requests in spans. */
export interface Tracing {
  span<T>(version: VersionInfo, headers: IncomingHttpHeaders, work: (span: RequestSpan) => Promise<T>): Promise<T>;
}

const NONE: RequestSpan = { started: () => undefined, answered: () => undefined };

/** Spans when `@opentelemetry/api` is installed, else nothing. */
export async function openTracing(): Promise<Tracing> {
  const api = await tryPeer<typeof OpenTelemetry>('@opentelemetry/api');
  return api ? new ApiTracing(api) : { span: (_version, _headers, work) => work(NONE) };
}

class ApiTracing implements Tracing {
  constructor(private readonly api: typeof OpenTelemetry) {}

  span<T>(
    { name, version }: VersionInfo,
    headers: IncomingHttpHeaders,
    work: (span: RequestSpan) => Promise<T>,
  ): Promise<T> {
    const { context, propagation, trace, SpanKind, SpanStatusCode } = this.api;
    const active = context.active();
    // Where the HTTP server is traced itself, its span is the parent; else the caller's.
    const parent = trace.getSpan(active) ? active : propagation.extract(active, headers);
    const attributes = { 'silverlode.model': name, 'silverlode.version': version };
    const tracer = trace.getTracer('silverlode');
    return tracer.startActiveSpan(
      'silverlode.retrieve',
      { kind: SpanKind.SERVER, attributes },
      parent,
      async (span) => {
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
      },
    );
  }
}
