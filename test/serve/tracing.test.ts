// Spans, seen by a recorder in place of an SDK.
import {
  type Attributes,
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryVector, smallModel } from './models.js';
import { serve, type TestService } from './service.js';

interface Recorded {
  name: string;
  parent: string | undefined;
  attributes: Attributes;
  events: string[];
  status: number | undefined;
  ended: number;
}

const spans: Recorded[] = [];
let service: TestService;

/** The part of a span that the service uses. */
function record(name: string, { attributes = {} }: SpanOptions, context: Context): Span {
  const parent = trace.getSpanContext(context)?.traceId;
  const own: Recorded = { name, parent, attributes: { ...attributes }, events: [], status: undefined, ended: 0 };
  spans.push(own);
  const span: Partial<Span> = {
    setAttributes: (more) => {
      Object.assign(own.attributes, more);
      return span as Span;
    },
    addEvent: (event) => {
      own.events.push(event);
      return span as Span;
    },
    setStatus: ({ code }) => {
      own.status = code;
      return span as Span;
    },
    end: () => {
      own.ended += 1;
    },
  };
  return span as Span;
}

beforeAll(async () => {
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan: () => trace.getTracer('none').startSpan('none'),
      startActiveSpan: ((name: string, options: SpanOptions, context: Context, work: (span: Span) => unknown) =>
        work(record(name, options, context))) as never,
    }),
  });
  propagation.setGlobalPropagator({
    inject: () => undefined,
    fields: () => ['traceparent'],
    extract: (context, carrier) => {
      const [, traceId = '', spanId = ''] = String((carrier as Record<string, string>).traceparent ?? '').split('-');
      return traceId ? trace.setSpanContext(context ?? ROOT_CONTEXT, { traceId, spanId, traceFlags: 1 }) : context;
    },
  });
  service = await serve({ books: await smallModel() });
});
afterAll(async () => {
  trace.disable();
  propagation.disable();
  await service.close();
});

const retrieve = (payload: object, headers = {}) =>
  service.app.inject({ method: 'POST', url: '/v1/models/books/retrieve', payload, headers });

test("a request is one span of the caller's trace", async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const response = await retrieve(
    { embedding: Array.from(queryVector()), k: 4 },
    { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  );
  expect(response.statusCode).toBe(200);
  expect(spans.splice(0)).toEqual([
    {
      name: 'silverlode.retrieve',
      parent: traceId,
      attributes: {
        'silverlode.model': 'books',
        'silverlode.version': 1,
        'silverlode.strategy': 'flat',
        'silverlode.scanned_rows': 300,
        'silverlode.results': 4,
      },
      events: ['run started'],
      status: undefined,
      ended: 1,
    },
  ]);
});

test('a failure is a span with an error', async () => {
  await retrieve({ embedding: [1] });
  expect(spans.splice(0)).toEqual([
    expect.objectContaining({ parent: undefined, status: SpanStatusCode.ERROR, ended: 1 }),
  ]);
});
