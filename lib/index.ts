// The public surface: re-exports only.
export { type ErrorCode, type ErrorDetails, SilverlodeError } from './errors.js';
export type { FilterBounds, FilterExpr, FilterNode, FilterValue } from './filter/ast.js';
export { f } from './filter/builder.js';
export { parseFilter } from './filter/parser.js';
export type { AttributeColumn, AttributeColumns, AttributeValue } from './index/attributes.js';
export { FilterIndex, filterPlanInputs } from './index/filter_index.js';
export { type Candidates, IvfIndex, type IvfOptions, type SearchRequests } from './index/ivf_index.js';
export type { ProgressEvent } from './index/progress.js';
export type { DeviceInfo, ProgramSpec } from './native/addon.js';
export { type DeviceOptions, devices, setDefaultDevice } from './native/device.js';
export * as nn from './nn/index.js';
export { Module, type StateDict } from './nn/module.js';
export * as ops from './ops/index.js';
export { type CompileOptions, compile, type InputSpecs } from './program/compile.js';
export {
  Program,
  type ProgramLoadOptions,
  type RunInput,
  type RunInputs,
  type StepProfile,
} from './program/program.js';
export { type AnyTensor, type InputSpec, SymbolicTensor } from './program/trace.js';
export type { Freshness, UpdateResult } from './retrieval/catalogue.js';
export type { CompactionOptions, FoldReason } from './retrieval/fresh/compaction.js';
export type { CompactionState } from './retrieval/fresh/folding.js';
export type { FollowOptions, LogEntry, UpdateLog } from './retrieval/fresh/follow.js';
export type { FsyncPolicy } from './retrieval/fresh/journal.js';
export type { FeatureValues, Update, UpsertItems } from './retrieval/fresh/updates.js';
export type { MeasuredRecall, RecallOptions } from './retrieval/measured_recall.js';
export { type LoadOptions, RetrievalModel, type RetrievalPlan } from './retrieval/model.js';
export {
  type FilterOptions,
  type IndexOptions,
  type Items,
  type PublishOptions,
  publish,
} from './retrieval/publish.js';
export { raggedInput, type Tower } from './retrieval/retrieval_module.js';
export type { StageProfile } from './retrieval/stage_profile.js';
export type { TuneOptions, TuneResult, TuneStep } from './retrieval/tune.js';
export type {
  IdSet,
  ItemId,
  ItemIds,
  RetrieveBatchRequest,
  RetrieveBatchResult,
  RetrieveRequest,
  RetrieveResult,
  RetrieveStats,
} from './retrieval/types.js';
export { readSafetensors } from './snapshot/state_dict.js';
export { type ArrayOf, DTYPES, type DType } from './tensor/dtype.js';
export type { Dim } from './tensor/shape.js';
export { Tensor, type TensorData, type TensorOptions, tensor } from './tensor/tensor.js';
export type { FormulaExpr } from './value/ast.js';
