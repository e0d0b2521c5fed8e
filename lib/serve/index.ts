// The subpath silverlode/serve: re-exports only. Importing it loads no optional package.

export {
  type BatchedCall,
  Batcher,
  type BatcherOptions,
  type BatcherStatistics,
  type BatchModel,
  type RunEvent,
} from './batcher.js';
export type { ServedLog } from './followed_log.js';
export { BATCH_BOUNDS, type HistogramData, MILLISECOND_BOUNDS, quantile } from './histogram.js';
export type { BinaryHead } from './http/binary.js';
export { type BinaryResult, decodeBinaryResult, encodeBinaryRequest } from './http/binary_client.js';
export type { ErrorBody, HttpErrorCode } from './http/errors.js';
export type { JsonId, JsonRequest, JsonResult } from './http/json.js';
export type { ServiceLimits, ServiceOptions } from './http/options.js';
export { createService } from './http/service.js';
export { type DrainOptions, drain, untilSignal } from './http/shutdown.js';
export { type HubEvents, type HubOptions, MODEL_NAME, type ModelFile, type ServeOptions } from './hub_options.js';
export {
  type Features,
  type FieldValue,
  type ItemColumns,
  isUpdatable,
  type UpdatableModel,
  type UpdateFacts,
} from './item_updates.js';
export type { Load } from './load.js';
export { collectMetrics, type HubMetrics } from './metrics.js';
export { ModelHub } from './model_hub.js';
export { DEFAULT_SLOTS, RunSlots, type SlotUser } from './run_slots.js';
export type {
  ModelFacts,
  OpenModel,
  RequestTimes,
  ServedCall,
  ServedModel,
  ServedVersion,
  VersionInfo,
} from './served_model.js';
export type { TraceCarrier } from './tracing.js';
export type { VersionFile } from './version_file.js';
export { type WatchOptions, watchDirectory } from './watch_directory.js';
export { type ObjectStoreOptions, watchObjectStore } from './watch_object_store.js';
