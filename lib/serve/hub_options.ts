// What a hub may be told, and what it tells.
import type { SilverlodeError } from '../errors.js';
import type { FsyncPolicy } from '../retrieval/fresh/journal.js';
import type { LoadOptions } from '../retrieval/load_options.js';
import type { RetrieveStats } from '../retrieval/types.js';
import type { BatcherOptions, RunEvent } from './batcher.js';
import type { ServedLog } from './followed_log.js';
import type { ModelFacts, OpenModel, RequestTimes, ServedModel, VersionInfo } from './served_model.js';

/** Options of `ModelHub`. */
export interface HubOptions {
  /**
   * How model files are loaded. No `journal` here: each version hands its own over to the next one.
   */
  load?: Omit<LoadOptions, 'journal' | 'fsync'>;
  /** A folder with a journal per model, `NAME.journal`: updates survive the process and go over to the next version. */
  journal?: { folder: string; fsync?: FsyncPolicy };
  /** The log that a model follows while it serves, from its own position on. */
  follow?: (name: string, facts: ModelFacts) => Promise<ServedLog>;
  /** How requests are batched, per model. */
  batching?: Pick<BatcherOptions, 'maxBatch' | 'maxDelayMicroseconds' | 'maxQueue'>;
  /** Native runs in flight at once, all models together; default 2. */
  slots?: number;
  /** Versions listed per model, the served one included; default 16. */
  history?: number;
  /** Default `RetrievalModel.load`. */
  open?: OpenModel;
  /**
   * Called with every model before it is warmed and serves, such as to replay a log of updates up to its end. The version is
   * refused when it rejects.
   */
  prepare?: (name: string, model: ServedModel) => Promise<void>;
}

/** How one name is served. */
export interface ServeOptions {
  /** Whether updates of the version before that are in no journal may be lost; default: the new one is refused then. */
  discardUpdates?: boolean;
  /** Share of run time among the hub's models; default that of the version before, else 1. */
  weight?: number;
  /** What the version is called in lists. */
  label?: string;
}

/** A model file that a source has found. */
export interface ModelFile {
  name: string;
  path: string;
  label?: string;
}

/** Events of `ModelHub`. */
export interface HubEvents {
  /** A version serves from now on. */
  version: [info: VersionInfo];
  /** A file was not taken; what was served before still is. */
  refused: [file: ModelFile, error: SilverlodeError];
  /** A native run ended. */
  run: [name: string, event: RunEvent];
  /** A request was answered. */
  answered: [name: string, times: RequestTimes, stats: RetrieveStats];
  /** A request was refused or has failed. */
  failed: [name: string, error: SilverlodeError];
  /** Items were changed; milliseconds until every later request sees it. */
  changed: [name: string, kind: string, milliseconds: number];
  /** A version no longer follows its log, though it serves: updates of the log are missing from now on. */
  unfollowed: [name: string, error: SilverlodeError];
}

/** What a model may be called: no separators, no leading dot, so that a name is never a path. */
export const MODEL_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
