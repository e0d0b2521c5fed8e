import { SilverlodeError } from '../errors.js';
import type { DeviceOptions } from '../native/device.js';
import { requireKnown } from './check_items.js';
import type { RequestLimits } from './requests.js';

/** How a model is loaded. */
export interface LoadOptions extends DeviceOptions {
  /** Check every tensor against its checksum; default true. */
  verify?: boolean;
  /** Requests per native run; default 64. Larger batches are cut. */
  maxBatch?: number;
  /** Largest `candidates` of a request; default 1 048 576. */
  maxCandidates?: number;
  /** Largest `k` of a request; default 1 048 576. */
  maxK?: number;
}

const KNOWN = ['device', 'threads', 'simd', 'graphs', 'verify', 'maxBatch', 'maxCandidates', 'maxK'];
const DEFAULT_LIMITS = { maxBatch: 64, maxK: 2 ** 20, maxCandidates: 2 ** 20 };

/** @throws SilverlodeError `INVALID_ARGUMENT` for unknown names and sizes that are none. */
export function checkLoadOptions(options: LoadOptions): RequestLimits {
  requireKnown('load options', options, KNOWN);
  const { verify = true } = options;
  if (typeof verify !== 'boolean')
    throw new SilverlodeError('INVALID_ARGUMENT', `verify must be a boolean, got ${String(verify)}`);
  const limits = {
    maxBatch: options.maxBatch ?? DEFAULT_LIMITS.maxBatch,
    maxK: options.maxK ?? DEFAULT_LIMITS.maxK,
    maxCandidates: options.maxCandidates ?? DEFAULT_LIMITS.maxCandidates,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isInteger(value) || value < 1)
      throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a positive integer, got ${value}`);
  }
  return limits;
}
