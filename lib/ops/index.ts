// All ops. Each takes symbolic tensors while a module is traced, or concrete ones, and then returns a promise.
export { type Assignment, assignClusters } from './assign_clusters.js';
export { balanceClusters } from './balance_clusters.js';
export { bloomBuild, type TermRows } from './bloom_build.js';
export { bloomLayout } from './bloom_layout.js';
export { bloomProbe } from './bloom_probe.js';
export type { CandidateInputs } from './candidates.js';
export { concat } from './concat.js';
export type { As, Length, OpResult } from './dispatch.js';
export { add, gelu, multiply, relu, sigmoid, silu, tanh } from './elementwise.js';
export { embeddingBag } from './embedding_bag.js';
export { filterCheck } from './filter_check.js';
export { filterEval, type MaskBounds } from './filter_eval.js';
export type { FilterIndexTensors, FilterPlanTensors } from './filter_index.js';
export { gatherRows } from './gather_rows.js';
export {
  type Clusters,
  ivfProbe,
  type Metric,
  type ProbedClusters,
  type ProbeRequests,
  type Queries,
} from './ivf_probe.js';
export { type IndexRows, ivfScan, type ScannedCandidates } from './ivf_scan.js';
export { ivfSearch, type RecallRequests, type SearchedCandidates, type SearchedClusters } from './ivf_search.js';
export { kmeansSeed } from './kmeans_seed.js';
export { l2Normalize } from './l2_normalize.js';
export { layerNorm } from './layer_norm.js';
export { type Activation, linear } from './linear.js';
export { type MergedTopK, mergeTopK } from './merge_top_k.js';
export { type MixtureOfLogitsInputs, mixtureOfLogits, type WeightAndBias } from './mixture_of_logits.js';
export { type OverArchInputs, overArch } from './over_arch.js';
export { type QuantizedInt8, quantizeInt8 } from './quantize_int8.js';
export { rescore } from './rescore.js';
export { reshape } from './reshape.js';
export { type Rotated, rotate } from './rotate.js';
export { sliceBuild } from './slice_build.js';
export { type TopK, topK } from './top_k.js';
export { type Centroids, updateCentroids } from './update_centroids.js';
export { type ValueModelInputs, valueModel } from './value_model.js';
