// What a service may be told, with its defaults.
import type { FastifyBaseLogger, FastifyLoggerOptions } from 'fastify';
import type { Registry } from 'prom-client';
import { SilverlodeError } from '../../errors.js';
import { requireKnown } from '../../retrieval/check_items.js';

/** Sizes beyond which a request is refused, before any work. */
export interface ServiceLimits {
  /** Bytes of a body; default 4 MiB. */
  bodyBytes: number;
  /** Characters of a filter text, or nodes of a filter tree times 8; default 65 536. */
  filterLength: number;
  /** Default 10 000. */
  k: number;
  /** Default 100 000. */
  candidates: number;
  /** Ids in `exclude`; default 100 000. */
  exclude: number;
  /** Ids in `like`, `dislike`, `rank` and `allow`; default 10 000. */
  named: number;
  /** Requests in one call: a list, or a batch of the Open Inference Protocol; default 256. */
  inferBatch: number;
  /** Results of one such call: its requests times the largest `k`; default 262 144. */
  results: number;
}

/** Options of `createService`. */
export interface ServiceOptions {
  limits?: Partial<ServiceLimits>;
  /** Requests must carry `authorization: Bearer <token>`, except for health and the page itself. */
  token?: string;
  /** PEM texts; the service speaks HTTPS then. */
  tls?: { key: string | Buffer; cert: string | Buffer; ca?: string | Buffer; requestCert?: boolean };
  /** What fastify takes as `logger`: true, pino options, or nothing. */
  logger?: boolean | (FastifyLoggerOptions & { level?: string });
  /** A pino instance of your own. */
  loggerInstance?: FastifyBaseLogger;
  /** Where metrics go, such as the registry of the application; default: one of its own, with those of the process. */
  registry?: Registry;
  /** Deadline of requests that have none of their own, in milliseconds. */
  deadlineMs?: number;
  /** How often a recent request is profiled for latency per native stage, in milliseconds; default 10 000, 0 for never. */
  profileEveryMs?: number;
  /** When requests are ended whose head or body has not arrived, in milliseconds; default 30 000. */
  requestTimeoutMs?: number;
  /** When the app closes: how long answers that are under way may take, in milliseconds; default 10 000. */
  drainMs?: number;
  /** Whether item updates and rollback are offered; default true. */
  changes?: boolean;
  /** Whether the page at `/` is served; default true. */
  page?: boolean;
}

const KNOWN = [
  ...[
    'limits',
    'token',
    'tls',
    'logger',
    'loggerInstance',
    'deadlineMs',
    'profileEveryMs',
    'requestTimeoutMs',
    'drainMs',
  ],
  ...['registry', 'changes', 'page'],
];

/** Numbers of milliseconds, and the least of each. */
const LEAST = { deadlineMs: 0, profileEveryMs: 0, requestTimeoutMs: 1, drainMs: 0 };
/** Timers take no longer ones. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export const DEFAULT_LIMITS: ServiceLimits = {
  bodyBytes: 4 * 1024 * 1024,
  filterLength: 65_536,
  k: 10_000,
  candidates: 100_000,
  exclude: 100_000,
  named: 10_000,
  inferBatch: 256,
  results: 262_144,
};

/** @throws SilverlodeError `INVALID_ARGUMENT` for limits that are none and an empty token. */
export function checkServiceOptions(options: ServiceOptions): ServiceLimits {
  requireKnown('service options', options, KNOWN);
  const { limits = {}, token } = options;
  const all = { ...DEFAULT_LIMITS, ...limits };
  for (const [name, value] of Object.entries(all)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name) || !Number.isInteger(value) || value < 1)
      throw new SilverlodeError('INVALID_ARGUMENT', `limits.${name} must be a positive integer, got ${String(value)}`);
  }
  for (const [name, least] of Object.entries(LEAST)) {
    const value = options[name as keyof typeof LEAST];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= MAX_TIMEOUT))
      throw new SilverlodeError(
        'INVALID_ARGUMENT',
        `${name} must be an integer from ${least} to ${MAX_TIMEOUT}, got ${value}`,
      );
  }
  // What a header can carry behind `Bearer` (RFC 6750): anything else could never be sent.
  if (token !== undefined && !/^[\w.~+/-]+=*$/.test(token))
    throw new SilverlodeError(
      'INVALID_ARGUMENT',
      'a token has letters, digits and - . _ ~ + / alone, and = at its end',
    );
  return all;
}
