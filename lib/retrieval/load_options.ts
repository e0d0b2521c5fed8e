import { requireBoolean, SilverlodeError } from '../errors.js';
import type { DeviceOptions } from '../native/device.js';
import { requireKnown } from './check_items.js';
import { type CompactionOptions, checkCompaction } from './fresh/compaction.js';
import type { FsyncPolicy } from './fresh/journal.js';
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
  /** Items that updates may hold in memory beside the published ones; default 65 536. */
  maxFreshItems?: number;
  /** When updates are folded into the published part by themselves, in the background; false leaves that to `compact()`. */
  compaction?: CompactionOptions | false;
  /**
   * A file that updates are appended to before they are acknowledged; what it holds beyond the model is applied on loading. Of
   * one process at a time.
   */
  journal?: string;
  /** When journal records are flushed to the disk: before an update is acknowledged (`'always'`, default), every 100 ms, or never. */
  fsync?: FsyncPolicy;
}

/** What the process of loading and serving is bound to. */
export interface LoadLimits extends RequestLimits {
  maxFreshItems: number;
  /** Undefined where folding is left to the caller. */
  compaction: Required<CompactionOptions> | undefined;
}

const KNOWN = [
  ...['device', 'threads', 'simd', 'graphs', 'verify', 'maxBatch', 'maxCandidates', 'maxK'],
  ...['maxFreshItems', 'compaction', 'journal', 'fsync'],
];
const FSYNC: readonly unknown[] = ['always', 'interval', 'never'];
const DEFAULT_LIMITS = { maxBatch: 64, maxK: 2 ** 20, maxCandidates: 2 ** 20, maxFreshItems: 65_536 };

/** @throws SilverlodeError `INVALID_ARGUMENT` for unknown names and sizes that are none. */
export function checkLoadOptions(options: LoadOptions): LoadLimits {
  requireKnown('load options', options, KNOWN);
  const { verify = true } = options;
  requireBoolean('verify', verify);
  const { journal, fsync = 'always' } = options;
  if (journal !== undefined && (typeof journal !== 'string' || journal === ''))
    throw new SilverlodeError('INVALID_ARGUMENT', `journal must be a path, got ${String(journal)}`);
  if (!FSYNC.includes(fsync))
    throw new SilverlodeError('INVALID_ARGUMENT', `fsync must be one of ${FSYNC.join(', ')}, got ${String(fsync)}`);
  const limits = {
    maxBatch: options.maxBatch ?? DEFAULT_LIMITS.maxBatch,
    maxK: options.maxK ?? DEFAULT_LIMITS.maxK,
    maxCandidates: options.maxCandidates ?? DEFAULT_LIMITS.maxCandidates,
    maxFreshItems: options.maxFreshItems ?? DEFAULT_LIMITS.maxFreshItems,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isInteger(value) || value < 1)
      throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a positive integer, got ${value}`);
  }
  return { ...limits, compaction: checkCompaction(options.compaction) };
}
