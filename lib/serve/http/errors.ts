// Failures as HTTP answers: {error: {code, message, …}}.
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, SilverlodeError } from '../../errors.js';

/** Codes of this service beside those of the package. */
export type HttpErrorCode = ErrorCode | 'NOT_FOUND' | 'UNAUTHORIZED';

/** The body of every failure. */
export interface ErrorBody {
  error: { code: HttpErrorCode; message: string; [detail: string]: unknown };
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID_ARGUMENT: 400,
  SHAPE_MISMATCH: 400,
  UNSUPPORTED_DTYPE: 400,
  FILTER_SYNTAX: 400,
  UNKNOWN_FIELD: 400,
  FORMULA_SYNTAX: 400,
  LIMIT_EXCEEDED: 400,
  OVERLOADED: 429,
  DEADLINE: 503,
  NOT_READY: 503,
  PARTIAL: 503,
  DISPOSED: 503,
  ABORTED: 499, // nginx's: the client has gone, so nobody reads it
};

/** Seconds after which a caller may try again. */
const RETRY_AFTER = '1';

/** A failure with the status that it is answered with. */
export class HttpError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: HttpErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Status and body of anything that was thrown. */
export function errorAnswer(error: unknown): { status: number; body: ErrorBody } {
  if (error instanceof SilverlodeError) {
    const status = statusOf(error);
    // What went wrong inside, and with which file, is for the log, not for the caller.
    if (status === 500) return { status, body: { error: { code: error.code, message: 'the service has failed' } } };
    return { status, body: { error: { ...plainDetails(error), code: error.code, message: error.message } } };
  }
  if (error instanceof HttpError) return answerOf(error.statusCode, error.code, error.message);
  const { statusCode = 500, message } = error as FastifyError;
  if (statusCode >= 400 && statusCode < 500) return answerOf(statusCode, clientCode(statusCode), message);
  return answerOf(statusCode, 'INTERNAL', 'internal error');
}

/** A full queue is told apart from a catalogue that has no room for updates: there the service lags behind, not the caller. */
function statusOf(error: SilverlodeError): number {
  return error.code === 'OVERLOADED' && 'maxFreshItems' in error ? 503 : (STATUS[error.code] ?? 500);
}

function answerOf(status: number, code: HttpErrorCode, message: string): { status: number; body: ErrorBody } {
  return { status, body: { error: { code, message } } };
}

/** Facts of an error as JSON: 64-bit integers are decimal strings, files of the service and what fastify adds are left out. */
function plainDetails(error: SilverlodeError): Record<string, unknown> {
  const { path: _, statusCode: _status, validation: _faults, validationContext: _part, ...details } = error;
  try {
    return JSON.parse(JSON.stringify(details, (_, value) => (typeof value === 'bigint' ? value.toString() : value)));
  } catch {
    return {}; // the code and the message say what matters
  }
}

function clientCode(status: number): HttpErrorCode {
  if (status === 413 || status === 431) return 'LIMIT_EXCEEDED';
  return status === 404 ? 'NOT_FOUND' : 'INVALID_ARGUMENT';
}

/** The Open Inference Protocol has one text per failure. */
const isProtocolV2 = (url: string): boolean => url === '/v2' || url.startsWith('/v2/');

/** Answers any failure, also of routes that do not exist and of requests that no route has seen. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = errorAnswer(error);
  if (status >= 500 && status !== 503) request.log.error({ err: error }, 'request failed');
  if (status === 429 || status === 503) reply.header('retry-after', RETRY_AFTER);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  const text = JSON.stringify(isProtocolV2(request.url) ? { error: body.error.message } : body);
  return reply.code(status).type('application/json; charset=utf-8').send(text);
}

/** The failure of a route that does not exist. */
export const noRoute = (): HttpError => new HttpError(404, 'NOT_FOUND', 'no such route');

/** Statuses of what the parser of HTTP refuses; all else is 400. */
const PARSER_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Answers what is no HTTP at all, or came too slowly: there is neither a request nor a reply. */
export function answerParserError({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = PARSER_STATUS[code] ?? 400;
  const reason = STATUS_CODES[status] as string;
  const body = JSON.stringify(answerOf(status, clientCode(status), `malformed request: ${reason}`).body);
  const head = `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
