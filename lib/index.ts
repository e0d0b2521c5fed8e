// The public surface: re-exports only.
export { type ErrorCode, type ErrorDetails, SilverlodeError } from './errors.js';
export {
  type FilterBounds,
  type FilterExpr,
  type FilterLeaf,
  type FilterNode,
  type FilterNumber,
  type FilterValue,
  MAX_FILTER_DEPTH,
  MAX_FILTER_TERMS,
  MAX_FILTER_TEXT,
} from './filter/ast.js';
export { f } from './filter/builder.js';
export type { PlanCache } from './filter/cache.js';
export { parseFilter } from './filter/parser.js';
export type { FilterPlan } from './filter/plan.js';
export type { FieldSchema, FieldType, FilterSchema, TermRef } from './filter/schema.js';
export type {
  AttributeColumn,
  AttributeColumns,
  AttributeValue,
  FieldColumn,
  NumberField,
  OptionalValue,
  TermField,
} from './index/attributes.js';
export { type FilterBuildOptions, FilterIndex, filterPlanInputs } from './index/filter_index.js';
export type { FieldManifest, FilterManifest, FilterTensors } from './index/filter_manifest.js';
export type { EncodedPlans } from './index/filter_plans.js';
export { type Candidates, IvfIndex, type IvfOptions, type IvfParts, type SearchRequests } from './index/ivf_index.js';
export type { Progress, ProgressEvent } from './index/progress.js';
export type { Rotation, RotationFacts } from './index/rotation.js';
export type { SearchSegment } from './index/search.js';
export type { DeviceInfo, NativeSpec, ProgramSpec, StepAttribute, StepAttributes } from './native/addon.js';
export { type DeviceOptions, devices, setDefaultDevice } from './native/device.js';
export * as nn from './nn/index.js';
export { Module, type StateDict } from './nn/module.js';
export * as ops from './ops/index.js';
export { type CompileOptions, compile, type InputSpecs, type ProgramOutputs } from './program/compile.js';
export {
  Program,
  type ProgramLoadOptions,
  type RunInput,
  type RunInputs,
  type StepProfile,
} from './program/program.js';
export { type AnyTensor, type InputSpec, SymbolicTensor } from './program/trace.js';
export type { Freshness, UpdateResult } from './retrieval/catalogue.js';
export type { ModelDescription } from './retrieval/describe.js';
export { type EvaluateOptions, type Evaluation, evaluate, type Interaction } from './retrieval/evaluate.js';
export type { RetrievalPlan } from './retrieval/explain.js';
export type { ItemExplanation } from './retrieval/explain_item.js';
export type { CompactionOptions, FoldReason } from './retrieval/fresh/compaction.js';
export type { CompactionState } from './retrieval/fresh/folding.js';
export type { FollowOptions, LogEntry, UpdateLog } from './retrieval/fresh/follow.js';
export type { FsyncPolicy } from './retrieval/fresh/journal.js';
export type { FeatureValues, Update, UpsertItems } from './retrieval/fresh/updates.js';
export type { GetOptions, ItemValue, SelectedItem } from './retrieval/give/items.js';
export type { LoadOptions } from './retrieval/load_options.js';
export type { RecallFacts, RecallShares } from './retrieval/manifest.js';
export type { MeasuredRecall, RecallOptions } from './retrieval/measured_recall.js';
export { RetrievalModel } from './retrieval/model.js';
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
export { readSafetensors, type StateDictEntry, type TensorMap } from './snapshot/state_dict.js';
export { type ArrayOf, DTYPES, type DType } from './tensor/dtype.js';
export type { Dim } from './tensor/shape.js';
export { Tensor, type TensorData, type TensorOptions, tensor } from './tensor/tensor.js';
export type { FormulaExpr, FormulaPair } from './value/ast.js';
export type { ValueProgram, WeightSlot } from './value/compile.js';
