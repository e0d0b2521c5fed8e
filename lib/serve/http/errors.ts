// Failures as HTTP answers: {error: {code, message, …}}.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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
    const status = STATUS[error.code] ?? 500;
    return { status, body: { error: { ...error, code: error.code, message: error.message } } };
  }
  if (error instanceof HttpError)
    return { status: error.statusCode, body: { error: { code: error.code, message: error.message } } };
  const { statusCode, message, validation } = error as FastifyError;
  if (validation) {
    const [first] = validation;
    const isLimit = /^(maximum|maxLength|maxItems|maxProperties)$/.test(first?.keyword ?? '');
    return { status: 400, body: { error: { code: isLimit ? 'LIMIT_EXCEEDED' : 'INVALID_ARGUMENT', message } } };
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { status: statusCode, body: { error: { code: clientCode(statusCode), message } } };
  // What went wrong inside is for the log, not for the caller.
  return { status: statusCode ?? 500, body: { error: { code: 'INTERNAL', message: 'internal error' } } };
}

function clientCode(status: number): HttpErrorCode {
  if (status === 413) return 'LIMIT_EXCEEDED';
  return status === 404 ? 'NOT_FOUND' : 'INVALID_ARGUMENT';
}

/** The Open Inference Protocol has one text per failure. */
const isProtocolV2 = (url: string): boolean => url === '/v2' || url.startsWith('/v2/');

/** Every failure of the app, also of routes that do not exist, is answered in the same form. */
export function answerErrors(app: FastifyInstance): void {
  const answer = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { status, body } = errorAnswer(error);
    if (status >= 500 && status !== 503) request.log.error({ err: error }, 'request failed');
    if (status === 429 || status === 503) reply.header('retry-after', RETRY_AFTER);
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.code(status).send(isProtocolV2(request.url) ? { error: body.error.message } : body);
  };
  app.setErrorHandler(answer);
  app.setNotFoundHandler((request, reply) => answer(new HttpError(404, 'NOT_FOUND', 'no such route'), request, reply));
}
